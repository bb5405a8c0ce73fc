"""The projections' tables held against the plain fold."""

from collections.abc import Collection

from moot.contracts.subjects import StreamName
from moot.projector.plain.comparing import differences
from moot.projector.plain.comparison import Comparison
from moot.projector.projections import PROJECTIONS
from moot.runtime.chronicle import Chronicle
from moot.runtime.database import OPS, Pool

NAMES = tuple(projection.name for projection in PROJECTIONS)


async def compared(
    pool: Pool,
    chronicle: Chronicle,
    name: str,
    until: int,
    streams: Collection[StreamName] | None = None,
) -> Comparison:
    """Compare one projection's tables, which are at `until`."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        return await differences(connection, chronicle, name, OPS, until, streams=streams)


async def differing_rows(pool: Pool, chronicle: Chronicle, until: int) -> list[str]:
    """Return what differs in any projection; an assertion that it is empty shows the rest."""
    found = [await compared(pool, chronicle, name, until) for name in NAMES]
    told = [difference.told for comparison in found for difference in comparison.differences]
    assert bool(told) is not all(comparison.equal for comparison in found)
    return told
