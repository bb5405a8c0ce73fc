"""The Ops DB as a test sees it: every row of every projection's tables."""

from moot.projector.projections import PROJECTIONS
from moot.runtime.database import Connection, Pool

TABLES = tuple(table for projection in PROJECTIONS for table in projection.tables)


async def contents(database: Pool | Connection) -> dict[str, list[str]]:
    """Return each table's rows as text, sorted."""
    found: dict[str, list[str]] = {}
    for table in TABLES:
        rows = await database.fetch(f"SELECT t::text AS row FROM {table} AS t")  # noqa: S608 our own names
        found[table] = sorted(row["row"] for row in rows)
    return found
