"""Whatever way events reach a projection, its tables say the same."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence

import pytest

from moot.cli import dead_letters, deliveries, operating
from moot.contracts.catalogue import EVENTS, EVENTS_BY_CATEGORY, Event
from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.projector import (
    agent_keys,
    announcements,
    attempts,
    deadlines,
    generations,
    publishing,
)
from moot.projector.debates import projection as debates
from moot.projector.plain import table_reading
from moot.projector.projections import PROJECTIONS
from moot.runtime import (
    checkpoint,
    key_rebuild,
    loss,
    projection_operations,
    projection_scope,
    set_aside,
)
from moot.runtime.chronicle import Chronicle
from moot.runtime.database import Pool
from moot.runtime.decoding import decoded
from moot.runtime.memory import InMemoryChronicle
from tests.support.plain import differing_rows
from tests.support.recording import Written, everything, record
from tests.support.tables import contents, schema_of

STATEMENTS = (
    *debates.STATEMENTS,
    *deadlines.STATEMENTS,
    *announcements.STATEMENTS,
    *attempts.STATEMENTS,
    *agent_keys.STATEMENTS,
    *publishing.STATEMENTS,
    *checkpoint.STATEMENTS,
    *projection_operations.STATEMENTS,
    *set_aside.STATEMENTS,
    *loss.STATEMENTS,
    *table_reading.STATEMENTS,
    *projection_scope.STATEMENTS,
    *key_rebuild.STATEMENTS,
    *generations.STATEMENTS,
    *dead_letters.STATEMENTS,
    *deliveries.STATEMENTS,
    *operating.STATEMENTS,
)


async def recorded_in(chronicle: Chronicle, last: int) -> list[Recorded]:
    stored = [await chronicle.get(position) for position in range(1, last + 1)]
    return [decoded(event) for event in stored if event is not None]


async def apply(pool: Pool, events: list[Recorded], size: int, *, times: int = 1) -> None:
    starts = range(0, len(events), size)
    await apply_parts(pool, [(events[start : start + size], times) for start in starts])


Part = tuple[Sequence[Recorded], int]
"""Events that make a batch, and how often it is applied in a row."""


async def apply_parts(pool: Pool, parts: Sequence[Part]) -> None:
    """Apply each to every projection that wants any of it, in a transaction each."""
    async with pool.acquire() as connection:
        for projection in PROJECTIONS:
            for part, times in parts:
                wanted = [e for e in part if e.stream.category in projection.categories]
                if wanted:
                    async with connection.transaction():
                        for _ in range(times):
                            await projection.apply(connection, wanted)


async def emptied(pool: Pool) -> None:
    for table in (table for projection in PROJECTIONS for table in projection.tables):
        await pool.execute(f"DELETE FROM {table}")  # noqa: S608 our own names


async def test_every_statement_fits_the_migrated_schema(pool: Pool) -> None:
    async with pool.acquire() as connection:
        tables = ", ".join(schema_of(projection.name) for projection in PROJECTIONS)
        await connection.execute(f"SET search_path TO {tables}")
        prepared = [await connection.prepare(statement) for statement in STATEMENTS]
        assert all(statement.get_parameters() for statement in prepared)


async def test_the_history_has_every_type_of_event(chronicle: InMemoryChronicle) -> None:
    events = await recorded_in(chronicle, await record(chronicle, everything()))
    assert {event.event.type for event in events} == set(EVENTS)


def test_every_type_of_event_reaches_a_projection() -> None:
    wanted = frozenset[str]().union(*(projection.categories for projection in PROJECTIONS))
    assert wanted == set(EVENTS_BY_CATEGORY) - {"operation"}, "those the runner carries out itself"


async def test_every_batch_split_gives_the_same_tables(
    pool: Pool, chronicle: InMemoryChronicle
) -> None:
    events = await recorded_in(chronicle, await record(chronicle, everything()))
    await apply(pool, events, len(events))
    whole = await contents(pool)
    assert all(whole.values()), "every table has rows"
    assert await differing_rows(pool, chronicle, events[-1].position) == []
    for size in (1, 2, 3, 7, 20):
        await emptied(pool)
        await apply(pool, events, size)
        assert await contents(pool) == whole


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
async def test_a_batch_applied_twice_changes_nothing(
    pool: Pool, chronicle: InMemoryChronicle, size: int
) -> None:
    events = await recorded_in(chronicle, await record(chronicle, everything()))
    await apply(pool, events, size)
    once = await contents(pool)
    await emptied(pool)
    await apply(pool, events, size, times=2)
    assert await contents(pool) == once


async def test_an_older_event_never_overwrites_a_newer_one(
    pool: Pool, chronicle: InMemoryChronicle
) -> None:
    events = await recorded_in(chronicle, await record(chronicle, everything()))
    await apply(pool, events, len(events))
    newest = await contents(pool)
    kept = ("topics", "camps", "rounds", "arguments", "verdicts", "draws", "deadlines")
    for event in events:
        await apply(pool, [event], 1)
    assert {table: rows for table, rows in (await contents(pool)).items() if table in kept} == {
        table: newest[table] for table in kept
    }


async def test_cut_in_two_anywhere_gives_the_same_tables(
    pool: Pool, chronicle: InMemoryChronicle
) -> None:
    events = await recorded_in(chronicle, await record(chronicle, everything()))
    await apply(pool, events, len(events))
    whole = await contents(pool)
    for cut in range(1, len(events)):
        await emptied(pool)
        await apply_parts(pool, [(events[:cut], 1), (events[cut:], 1)])
        assert await contents(pool) == whole, f"cut at {cut}"


async def check_any_way(pool: Pool, seed: int) -> None:
    """Streams in another order among each other, cut anywhere, each part one to four times."""
    luck = random.Random(seed)  # noqa: S311 spreads, protects nothing
    chronicle = InMemoryChronicle()
    events = await recorded_in(chronicle, await record(chronicle, shuffled(everything(), luck)))
    await emptied(pool)
    await apply(pool, events, len(events))
    whole = await contents(pool)
    for longest in (2, 5, 30):
        await emptied(pool)
        await apply_parts(pool, list(cut_up(events, longest, luck)))
        assert await contents(pool) == whole, f"seed {seed}, parts of up to {longest}"


def shuffled(written: Sequence[Written], luck: random.Random) -> list[Written]:
    """Return them with each stream in its order."""
    streams: defaultdict[StreamName, list[Event]] = defaultdict(list)
    for stream, event in written:
        streams[stream].append(event)
    turns = [stream for stream, _ in written]
    luck.shuffle(turns)
    return [(stream, streams[stream].pop(0)) for stream in turns]


def cut_up(events: Sequence[Recorded], longest: int, luck: random.Random) -> Iterator[Part]:
    start = 0
    while start < len(events):
        size = luck.randint(1, longest)
        yield events[start : start + size], luck.randint(1, 4)
        start += size


@pytest.mark.parametrize("seed", range(3))
async def test_events_applied_any_way_give_the_same_tables(pool: Pool, seed: int) -> None:
    await check_any_way(pool, seed)
    assert all((await contents(pool)).values()), "every table has rows"


@pytest.mark.hard
async def test_events_applied_in_many_ways_give_the_same_tables(pool: Pool) -> None:
    for seed in range(3, 53):
        await check_any_way(pool, seed)
    assert all((await contents(pool)).values()), "every table has rows"
