"""Whatever way events reach a projection, its tables say the same."""

import pytest

from moot.cli import dead_letters, operating
from moot.contracts.catalogue import EVENTS
from moot.contracts.envelope import Recorded
from moot.projector import agent_keys, announcements, deadlines
from moot.projector.debates import projection as debates
from moot.projector.plain import table_reading
from moot.projector.plain.projections import PLAIN
from moot.projector.projections import PROJECTIONS
from moot.runtime import checkpoint, projection_operations, set_aside
from moot.runtime.chronicle import Chronicle
from moot.runtime.database import Pool
from moot.runtime.decoding import decoded
from moot.runtime.memory import InMemoryChronicle
from tests.support.plain import differing_rows
from tests.support.recording import everything, record
from tests.support.tables import contents

STATEMENTS = (
    *debates.STATEMENTS,
    *deadlines.STATEMENTS,
    *announcements.STATEMENTS,
    *agent_keys.STATEMENTS,
    *checkpoint.STATEMENTS,
    *projection_operations.STATEMENTS,
    *set_aside.STATEMENTS,
    *table_reading.STATEMENTS,
    *(t.of_streams for plain in PLAIN.values() for t in plain.tables),
    *(t.between for plain in PLAIN.values() for t in plain.tables),
    *dead_letters.STATEMENTS,
    *operating.STATEMENTS,
)


async def recorded_in(chronicle: Chronicle, last: int) -> list[Recorded]:
    stored = [await chronicle.get(position) for position in range(1, last + 1)]
    return [decoded(event) for event in stored if event is not None]


async def apply(pool: Pool, events: list[Recorded], size: int, *, times: int = 1) -> None:
    async with pool.acquire() as connection:
        for projection in PROJECTIONS:
            wanted = [e for e in events if e.stream.category in projection.categories]
            for start in range(0, len(wanted), size):
                async with connection.transaction():
                    for _ in range(times):
                        await projection.apply(connection, wanted[start : start + size])


async def emptied(pool: Pool) -> None:
    for table in (table for projection in PROJECTIONS for table in projection.tables):
        await pool.execute(f"TRUNCATE {table}")


async def test_every_statement_fits_the_migrated_schema(pool: Pool) -> None:
    async with pool.acquire() as connection:
        prepared = [await connection.prepare(statement) for statement in STATEMENTS]
        assert all(statement.get_parameters() for statement in prepared)


async def test_the_history_has_every_type_of_event(chronicle: InMemoryChronicle) -> None:
    events = await recorded_in(chronicle, await record(chronicle, everything()))
    assert {event.event.type for event in events} == set(EVENTS)


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
