"""Builds every projection again from nothing, and compares: a rebuild must equal the live tables.

The rebuild is in a schema of its own, which is dropped afterwards; the live tables are only read.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from moot.projector.building import building_scope
from moot.projector.projections import PROJECTIONS
from moot.projector.settings import ProjectorSettings
from moot.projector.tables import tables_of
from moot.runtime.chronicle import Chronicle
from moot.runtime.database import OPS, Connection, Pool, connect_pool
from moot.runtime.jetstream import JetStreamChronicle, connect
from moot.runtime.projection import Projection
from moot.runtime.projection_runner import ProjectionRunner, Replica

MOST_SHOWN = 5
"""Differing rows that a report quotes for each table and side."""

TRIES = 5
BUILD_SECONDS = 3600.0


class RebuildError(Exception):
    """The comparison couldn't be made; the text says why."""


@dataclass(frozen=True, slots=True)
class TableComparison:
    """Rows in the live table, and those, as JSON, that only one side has (some of them)."""

    projection: str
    table: str
    rows: int
    only_live: tuple[str, ...]
    only_rebuilt: tuple[str, ...]

    @property
    def equal(self) -> bool:
        return not self.only_live and not self.only_rebuilt


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """`positions` is where each projection was when it was compared."""

    positions: dict[str, int]
    tables: tuple[TableComparison, ...]

    @property
    def equal(self) -> bool:
        return all(table.equal for table in self.tables)

    @property
    def told(self) -> str:
        """Return what was compared, or what differs, in one line."""
        if self.equal:
            return f"{self.rows} rows in {len(self.tables)} tables"
        different = ", ".join(table.table for table in self.tables if not table.equal)
        return f"different rows in {different}"

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


async def rebuild_and_compare(database_url: str, nats_url: str) -> ComparisonReport:
    """Rebuild from the Chronicle and compare row by row with the live tables at one position.

    Raises RebuildError if the live tables never stand still long enough, and what the drivers
    raise when a server can't be reached.
    """
    settings = ProjectorSettings(nats_url=nats_url, database_url=database_url)
    nats = await connect(settings, name="moot-rebuild")
    try:
        pool = await connect_pool(settings, name="rebuild", size=len(PROJECTIONS) + 1)
        try:
            return await compare(pool, JetStreamChronicle(nats))
        finally:
            await pool.close()
    finally:
        await nats.close()


async def compare(pool: Pool, chronicle: Chronicle) -> ComparisonReport:
    """As `rebuild_and_compare`, on connections that are there."""
    reports = [await _compared(pool, chronicle, projection) for projection in PROJECTIONS]
    tables = tuple(table for _, compared in reports for table in compared)
    positions = {p.name: at for p, (at, _) in zip(PROJECTIONS, reports, strict=True)}
    return ComparisonReport(positions, tables)


@asynccontextmanager
async def _schema(pool: Pool, projection: Projection) -> AsyncGenerator[str]:
    """The tables of a projection, empty, in a schema that lasts as long as this."""
    schema = f"ops_rebuild_{secrets.token_hex(4)}"
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(tables_of(projection.name, schema, state="rebuilding"))
    try:
        yield schema
    finally:
        await pool.execute(f'DROP SCHEMA "{schema}" CASCADE')


async def _compared(
    pool: Pool, chronicle: Chronicle, projection: Projection
) -> tuple[int, list[TableComparison]]:
    """Bring a rebuild to where the live tables are, until both are there at once."""
    async with _schema(pool, projection) as schema:
        for _ in range(TRIES):
            position = await _position(pool, projection)
            await _build(pool, chronicle, schema, projection, position)
            async with (
                pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read"),
            ):
                if await _position(connection, projection) == position:
                    return position, [
                        await _table(connection, schema, projection, table)
                        for table in projection.tables
                    ]
    raise RebuildError(f"{projection.name} moved on during each of {TRIES} comparisons")


async def _position(database: Pool | Connection, projection: Projection) -> int:
    found = await database.fetchval(
        "SELECT position FROM ops.projector_checkpoint WHERE projection = $1", projection.name
    )
    return found or 0


async def _build(
    pool: Pool, chronicle: Chronicle, schema: str, projection: Projection, until: int
) -> None:
    scope = building_scope(schema, until)
    runner = ProjectionRunner(projection, chronicle, pool, Replica("rebuild"), scope)
    async with asyncio.timeout(BUILD_SECONDS):
        await runner.run()


async def _table(
    connection: Connection, schema: str, projection: Projection, table: str
) -> TableComparison:
    rows = await connection.fetchval(f'SELECT count(*) FROM "{OPS}"."{table}"')  # noqa: S608 our own names
    only_live = await _only_in(connection, OPS, schema, table)
    only_rebuilt = await _only_in(connection, schema, OPS, table)
    return TableComparison(projection.name, table, rows, only_live, only_rebuilt)


async def _only_in(connection: Connection, here: str, there: str, table: str) -> tuple[str, ...]:
    statement = f"""
        SELECT to_jsonb(t)::text FROM "{here}"."{table}" AS t
        EXCEPT ALL SELECT to_jsonb(t)::text FROM "{there}"."{table}" AS t
        LIMIT $1
    """  # noqa: S608 our own names
    found: Sequence[object] = await connection.fetch(statement, MOST_SHOWN)
    return tuple(str(row[0]) for row in found)
