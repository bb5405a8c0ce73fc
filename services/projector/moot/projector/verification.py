"""Whether a projection's serving tables are what the Chronicle says: all of them, or a sample."""

from collections.abc import AsyncGenerator, Sized
from contextlib import aclosing, asynccontextmanager
from itertools import cycle, islice
from random import Random
from typing import Final

from moot.contracts.subjects import Category, StreamName
from moot.projector.plain import table_reading
from moot.projector.plain.chronicle_fold import CannotCompareError, ChronicleFold, streams_in
from moot.projector.plain.comparing import all_differences, differences
from moot.projector.plain.comparison import Comparison
from moot.projector.plain.projections import PLAIN
from moot.projector.plain.stream_fold import PlainProjection
from moot.projector.plain.table import stream_of
from moot.runtime.chronicle import Chronicle
from moot.runtime.database import Connection, Pool

NEAR: Final = 1000
"""How many events at most are left to fold when the snapshot is opened, if it goes well."""

TRIES: Final = 5
PLACES: Final = 5
"""From how many places a large sample is drawn, at least."""

STREAMS_AT_ONCE: Final = 4
"""How many streams a small sample takes from one place at most."""

NEARBY: Final = 64
"""Among how many events they are chosen."""

SERVING = """
SELECT schema FROM ops.projection_generations WHERE projection = $1 AND role = 'serving'
"""

STATEMENTS = (SERVING,)


async def verify_all(pool: Pool, chronicle: Chronicle, name: str) -> Comparison:
    """Compare every row. The snapshot is opened once most of the Chronicle has been folded.

    Raises CannotCompareError, and what the servers' drivers raise.
    """
    fold = ChronicleFold(PLAIN[name])
    for _ in range(TRIES):
        async with _snapshot(pool, fold.plain) as (_, _, position):
            pass
        was_at = fold.position
        await fold.advance(chronicle, position)
        if position - was_at <= NEAR:
            break
    async with _snapshot(pool, fold.plain) as (connection, schema, position):
        if position < fold.position:
            raise CannotCompareError(f"{name} went back from {fold.position} to {position}")
        return await all_differences(connection, chronicle, fold, schema, position)


async def verify_some(
    pool: Pool,
    chronicle: Chronicle,
    name: str,
    streams: int,
    luck: Random,
    *,
    known: frozenset[StreamName] = frozenset(),
) -> Comparison:
    """Compare the rows of about so many streams, drawn by `luck`, and of those `known`.

    One half is drawn from the Chronicle, or what is missing as a whole would never be found, the
    other from the tables, or what nothing led to would never be. Raises as `verify_all`.
    """
    plain = PLAIN[name]
    async with _snapshot(pool, plain) as (connection, schema, position):
        half = streams - streams // 2
        drawn = known | await _from_events(chronicle, plain, position, half, luck)
        drawn |= await _from_tables(connection, plain, streams // 2, luck)
        return await differences(connection, chronicle, name, schema, position, streams=drawn)


@asynccontextmanager
async def _snapshot(
    pool: Pool, plain: PlainProjection
) -> AsyncGenerator[tuple[Connection, str, int]]:
    """A connection that sees the serving tables at one moment, their schema and their position."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        schema = await connection.fetchval(SERVING, plain.name)
        if schema is None:
            raise CannotCompareError(f"{plain.name} has no tables: run `moot migrate`")
        await table_reading.look_in(connection, schema)
        yield connection, schema, await table_reading.checkpoint(connection, plain)


async def _from_events(
    chronicle: Chronicle, plain: PlainProjection, until: int, streams: int, luck: Random
) -> set[StreamName]:
    """Draw from what happened, at a few random positions."""
    found: set[StreamName] = set()
    for _ in range(_tries(streams)):
        if len(found) >= streams or not until:
            break
        category = luck.choice(sorted(plain.categories))
        subjects = await _subjects_after(chronicle, luck.randrange(until), category)
        there = sorted(streams_in(subjects or await _subjects_after(chronicle, 0, category)))
        found |= set(luck.sample(there, _share(there, streams)))
    return found


async def _subjects_after(chronicle: Chronicle, after: int, category: Category) -> set[str]:
    """Return of which streams the next few events are; none after the last."""
    async with aclosing(chronicle.follow(after, batch=NEARBY, category=category)) as following:
        async for batch in following:
            return {event.subject for event in batch.events}
    return set()


async def _from_tables(
    connection: Connection, plain: PlainProjection, streams: int, luck: Random
) -> set[StreamName]:
    """Draw from the rows, in random pages of one table after the other."""
    sizes = {table: await table_reading.pages(connection, table) for table in plain.tables}
    filled = [table for table, pages in sizes.items() if pages]
    luck.shuffle(filled)
    found: set[StreamName] = set()
    for table in islice(cycle(filled), _tries(streams)):
        if len(found) >= streams:
            break
        page = luck.randrange(sizes[table])
        rows = await table_reading.rows_in_page(connection, table, page)
        there = sorted({stream_of(row) for row in rows})
        found |= set(luck.sample(there, _share(there, streams)))
    return found


def _tries(streams: int) -> int:
    return 2 * PLACES + streams // STREAMS_AT_ONCE


def _share(there: Sized, streams: int) -> int:
    """Return how many of the streams in one place to take."""
    return min(len(there), max(STREAMS_AT_ONCE, streams // PLACES))
