"""The tables say what the plain fold says, and each way in which they might not is found."""

import asyncio
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moot.contracts.debates import ADMIN, Visibility
from moot.contracts.subjects import StreamName
from moot.contracts.topic_commands import SetVisibility
from moot.projector.app import make_runners
from moot.projector.plain import comparing
from moot.projector.plain.chronicle_fold import CannotCompareError, ChronicleFold, streams_in
from moot.projector.plain.comparing import all_differences, differences
from moot.projector.plain.projections import PLAIN
from moot.projector.plain.table import Table
from moot.projector.projections import PROJECTIONS
from moot.runtime.database import Connection, Pool, PositionWaiter
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.shared_following import SharedFollowing
from tests.integration.projector.running import reached, running
from tests.integration.projector.test_projections import apply, emptied, recorded_in
from tests.support.operating import Operator, of_newer_type
from tests.support.plain import compared, differing_rows, schema_of
from tests.support.random_lives import random_history
from tests.support.recording import Recorder, argued, everything, record, topic_id
from tests.support.topics import NOON, cancelled

TABLES = [(plain.name, table) for plain in PLAIN.values() for table in plain.tables]

CHANGED = {
    "text": "'other' || coalesce({}, '')",
    "int4": "coalesce({}, 0) + 1000",
    "int8": "coalesce({}, 0) + 1000",
    "bool": "NOT {}",
    "uuid": "gen_random_uuid()",
    "timestamptz": "coalesce({}, now()) + interval '1 microsecond'",
    "jsonb": """jsonb_build_object('forged', {})""",
    "text[]": "array_append(coalesce({}, '{{}}'), 'pro')",
}
"""By type, another value for a column."""


@pytest.fixture
async def last(pool: Pool, chronicle: InMemoryChronicle) -> int:
    """The position of tables that hold everything."""
    last = await record(chronicle, everything())
    await apply(pool, await recorded_in(chronicle, last), 1000)
    return last


def test_every_projection_is_said_plainly() -> None:
    assert {p.name: (p.categories, set(p.tables)) for p in PROJECTIONS} == {
        name: (plain.categories, {table.name for table in plain.tables})
        for name, plain in PLAIN.items()
    }


async def test_the_tables_say_what_the_plain_fold_says(
    pool: Pool, chronicle: InMemoryChronicle, last: int
) -> None:
    assert await differing_rows(pool, chronicle, last) == []
    for name in PLAIN:
        found = await compared(pool, chronicle, name, last)
        assert found.equal
        assert found.rows
        assert (found.position, found.not_looked_at) == (last, 0)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32))
async def test_whatever_happens_the_tables_say_what_the_plain_fold_says(
    pool: Pool, seed: int
) -> None:
    luck = Random(seed)  # noqa: S311 the same history for the same seed
    chronicle = InMemoryChronicle()
    last = await record(chronicle, random_history(luck))
    await emptied(pool)
    await apply(pool, await recorded_in(chronicle, last), luck.randint(1, 300))
    assert await differing_rows(pool, chronicle, last) == []


@pytest.mark.parametrize(("name", "table"), TABLES, ids=[table.name for _, table in TABLES])
async def test_each_kind_of_damage_is_found_and_named(
    pool: Pool, chronicle: InMemoryChronicle, last: int, name: str, table: Table
) -> None:
    async with pool.acquire() as connection:
        statements = await damages(connection, table)
        for column, statement in statements.items():
            told = await after(connection, chronicle, name, statement, last)
            is_key = column in table.key
            wrong = f"differs in {column}"
            if column == "a row less":
                wrong = "is missing"
            elif is_key or column == "a row more":
                wrong = "should not be there"
            assert [line for line in told if line.startswith(table.name) and wrong in line], (
                statement,
                told,
            )
            assert len(told) == 1 + is_key
    assert (await compared(pool, chronicle, name, last)).equal


async def damages(connection: Connection, table: Table) -> dict[str, str]:
    """Return statements that damage one row, by the column or the kind."""
    async with connection.transaction():
        attributes = (await connection.prepare(table.everything())).get_attributes()
    types = {attribute.name: attribute.type.name for attribute in attributes}
    there = f"{await schema_of(connection, table.name)}.{table.name}"
    one = f"ctid = (SELECT min(ctid) FROM {there})"  # noqa: S608 our own names
    values = {column: CHANGED[types[column]].format(column) for column in table.columns}
    for column in {"status", "outcome"} & {c for c in table.columns if types[c] == "text"}:
        values[column] = f"CASE {column} WHEN 'failed' THEN 'delivered' ELSE 'failed' END"
    found = {
        column: f"UPDATE {there} SET {column} = {values[column]} WHERE {one}"  # noqa: S608 as above
        for column in table.columns
    }
    # Under new keys, where the table wants them to be its own.
    fresh = {*table.key, "key_id", "created_position", "ordinal_position", "position"}
    copied = [values[c] if c in fresh and c != "category" else c for c in table.columns]
    columns = ", ".join(table.columns)
    found["a row more"] = (
        f"INSERT INTO {there} ({columns})"  # noqa: S608 as above
        f" SELECT {', '.join(copied)} FROM {there} WHERE {one}"
    )
    found["a row less"] = f"DELETE FROM {there} WHERE {one}"  # noqa: S608 as above
    return found


async def after(
    connection: Connection, chronicle: InMemoryChronicle, name: str, statement: str, until: int
) -> list[str]:
    """Return what is found wrong after a statement, which is undone."""
    schema = await schema_of(connection, PLAIN[name].tables[0].name)
    transaction = connection.transaction(isolation="repeatable_read")
    await transaction.start()
    try:
        assert (await connection.execute(statement)).endswith(" 1"), statement
        fold = ChronicleFold(PLAIN[name])
        found = await all_differences(connection, chronicle, fold, schema, until)
        assert not found.equal
        of = streams_in(f"chronicle.{d.stream.replace('/', '.')}" for d in found.differences)
        sample = await differences(connection, chronicle, name, schema, until, streams=of)
        assert not sample.equal
        return [difference.told for difference in found.differences]
    finally:
        await transaction.rollback()


async def test_a_fold_goes_on_where_it_was_and_shares_what_is_fetched(
    pool: Pool, chronicle: InMemoryChronicle, last: int
) -> None:
    shared = SharedFollowing(chronicle)
    folds = [ChronicleFold(plain) for plain in PLAIN.values()]
    for until in (1, last // 2, last):
        await asyncio.gather(*(fold.advance(shared, until) for fold in folds))
        assert [fold.position for fold in folds] == [until] * len(folds)
    for fold in folds:
        schema = await schema_of(pool, fold.plain.tables[0].name)
        async with (
            pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read"),
        ):
            assert (await all_differences(connection, shared, fold, schema, last)).equal


async def test_where_too_much_differs_a_part_is_shown(
    pool: Pool, chronicle: InMemoryChronicle, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "MOST_BUCKETS", 2)
    await pool.execute("UPDATE topics SET title = 'forged'")
    found = await compared(pool, chronicle, "debates_v1", last)
    assert not found.equal
    assert (len(found.differences), found.not_looked_at) == (2, 3)


async def test_what_is_over_takes_no_memory(chronicle: InMemoryChronicle) -> None:
    last = await record(chronicle, everything())
    fold = ChronicleFold(PLAIN["debates_v1"])
    await fold.advance(chronicle, last)
    assert fold.open_streams == 2  # one where sign-up is open, one where camps are to be drawn


async def test_what_takes_no_effect_is_not_expected(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    stream = StreamName("topic", topic_id("bad"))
    recorder = Recorder(chronicle)
    history = argued().history
    await recorder.add([(stream, event) for event in history[:3]])
    bad = await recorder.add_bytes(stream, *of_newer_type(stream, history[3], 99))
    last = await recorder.add([*((stream, event) for event in history[4:]), *everything()])
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, last)
        assert await differing_rows(pool, chronicle, last) == []
        for each in PROJECTIONS:
            if stream.category in each.categories:
                last = await Operator(chronicle, each.name).skips(stream, bad)
        await reached(waiter, last)
        assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 0
        assert await differing_rows(pool, chronicle, last) == []
    await pool.execute("DELETE FROM verdicts WHERE topic_id = $1", stream.id)
    assert len(await differing_rows(pool, chronicle, last)) == 1


async def test_what_happens_after_the_end_counts(pool: Pool, chronicle: InMemoryChronicle) -> None:
    given = cancelled().after(SetVisibility(by=ADMIN, visibility=Visibility.PRIVATE), NOON)
    stream = StreamName("topic", topic_id("over"))
    last = await record(chronicle, [(stream, event) for event in given.history])
    await apply(pool, await recorded_in(chronicle, last), 1000)
    assert await differing_rows(pool, chronicle, last) == []
    await pool.execute("UPDATE topics SET visibility = 'public'")
    assert "differs in visibility" in (await differing_rows(pool, chronicle, last))[0]


async def test_an_event_that_can_not_be_read_and_is_not_set_aside_is_no_guess(
    pool: Pool, chronicle: InMemoryChronicle
) -> None:
    stream = StreamName("topic", topic_id("newer"))
    bad = of_newer_type(stream, argued().history[0], 1)
    last = await Recorder(chronicle).add_bytes(stream, *bad)
    for streams in (None, [stream]):
        with pytest.raises(CannotCompareError, match="unknown event type"):
            await compared(pool, chronicle, "debates_v1", last, streams)


async def test_tables_that_are_ahead_of_the_chronicle_are_not_compared(
    pool: Pool, chronicle: InMemoryChronicle, last: int
) -> None:
    with pytest.raises(CannotCompareError, match=f"the Chronicle ends at {last}, before"):
        await compared(pool, chronicle, "debates_v1", last + 1)
