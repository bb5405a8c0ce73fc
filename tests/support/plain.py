"""The projections' tables held against the plain fold."""

from collections.abc import Collection

from moot.contracts.subjects import StreamName
from moot.projector.plain.comparing import differences
from moot.projector.plain.comparison import Comparison
from moot.projector.plain.projections import PLAIN
from moot.projector.projections import PROJECTIONS
from moot.runtime.chronicle import Chronicle
from moot.runtime.database import Connection, Pool

NAMES = tuple(projection.name for projection in PROJECTIONS)


async def schema_of(database: Pool | Connection, table: str) -> str:
    """Return where the table itself is, of which `ops` may have a view."""
    return await database.fetchval("SELECT schemaname FROM pg_tables WHERE tablename = $1", table)


async def compared(
    pool: Pool,
    chronicle: Chronicle,
    name: str,
    until: int,
    streams: Collection[StreamName] | None = None,
) -> Comparison:
    """Compare one projection's tables, which are at `until`."""
    schema = await schema_of(pool, PLAIN[name].tables[0].name)
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        return await differences(connection, chronicle, name, schema, until, streams=streams)


async def differing_rows(pool: Pool, chronicle: Chronicle, until: int) -> list[str]:
    """Return what differs in any projection; an assertion that it is empty shows the rest."""
    found = [await compared(pool, chronicle, name, until) for name in NAMES]
    told = [difference.told for comparison in found for difference in comparison.differences]
    assert bool(told) is not all(comparison.equal for comparison in found)
    return told
