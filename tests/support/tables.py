"""The Ops DB as a test sees it: every row of every projection's tables.

`ops` has views of them. Who plays the projector writes to the first generation's own tables.
"""

from moot.projector.projections import PROJECTIONS
from moot.runtime.database import Connection, Pool

TABLES = tuple(table for projection in PROJECTIONS for table in projection.tables)


def schema_of(projection: str, generation: int = 1) -> str:
    return f"ops_{projection}_{generation}"


def checkpoint_of(projection: str) -> str:
    """Return the table that holds a projection's checkpoint."""
    return f"{schema_of(projection)}.projector_checkpoint"


async def contents(database: Pool | Connection) -> dict[str, list[str]]:
    """Return each table's rows as text, sorted."""
    found: dict[str, list[str]] = {}
    for table in TABLES:
        rows = await database.fetch(f"SELECT t::text AS row FROM {table} AS t")  # noqa: S608 our own names
        found[table] = sorted(row["row"] for row in rows)
    return found
