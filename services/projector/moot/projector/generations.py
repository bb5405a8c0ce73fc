"""The copies of a projection's tables: which there are, another one, and which of them serves.

`ops` has only views, of the generations that serve. Whoever switches them makes readers wait for
as long as that takes, a few milliseconds, and nobody fail: see `show_serving` in
tables/generations.sql.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import structlog

from moot.projector.tables import tables_of
from moot.runtime.database import PROGRESS_CHANNEL, Connection, LockNotAvailableError, Pool

Role = Literal["serving", "building", "retired"]

# Who changes the registry waits for others who do; its readers don't.
LOCK = "LOCK TABLE ops.projection_generations IN SHARE ROW EXCLUSIVE MODE"

ALL = """
SELECT projection, generation, schema, role, created_at, promoted_at
FROM ops.projection_generations
WHERE projection = $1
ORDER BY generation
"""

CREATE = """
INSERT INTO ops.projection_generations (projection, generation, role)
VALUES ($1, $2, 'building')
RETURNING schema
"""

FORGET = """
DELETE FROM ops.projection_generations
WHERE projection = $1 AND generation = $2 AND role <> 'serving'
RETURNING schema
"""

# Later than all before, also where the clock was set back since: that says which served last.
CHANGE_ROLE = """
UPDATE ops.projection_generations
SET
    role = $3,
    promoted_at = CASE WHEN $3 = 'serving' THEN greatest(
        clock_timestamp(),
        (
            SELECT max(promoted_at) + interval '1 microsecond'
            FROM ops.projection_generations WHERE projection = $1
        )
    ) ELSE promoted_at END
WHERE projection = $1 AND generation = $2
"""

# The lock that replacing a view takes, without a change: LOCK TABLE would lock what it shows, too.
KEEP_OUT = 'ALTER VIEW IF EXISTS ops."{}" RESET (security_barrier)'

PATIENCE_MS = (*(1,) * 100, *(10,) * 5, 30, 100)
"""How long each attempt to keep readers out waits for one of them."""

APART_SECONDS = 0.002

TABLES = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = $1 ORDER BY tablename"

SHOW = "SELECT ops.show_serving($1)"

TELL = "SELECT pg_notify($1, $2)"

# Whoever may use a generation's schema and tables may use the next one's, whose owner may differ.
GRANTS = """
SELECT format(
    'GRANT %s ON SCHEMA %I TO %s', g.privilege_type, $2::text,
    CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END
) AS grant_again
FROM pg_catalog.pg_namespace AS n, aclexplode(n.nspacl) AS g
WHERE n.nspname = $1 AND g.grantee <> n.nspowner
UNION ALL
SELECT format(
    'GRANT %s ON TABLE %I.%I TO %s', g.privilege_type, $2::text, c.relname,
    CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END
)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN aclexplode(c.relacl) AS g
WHERE n.nspname = $1 AND c.relkind = 'r' AND g.grantee <> c.relowner
"""

STATEMENTS = (ALL, CREATE, FORGET, CHANGE_ROLE, TABLES, SHOW, TELL, GRANTS)

log = structlog.stdlib.get_logger()


class NoGenerationError(Exception):
    """There is no such generation; the text says of what."""


@dataclass(frozen=True, slots=True)
class Generation:
    projection: str
    number: int
    schema: str
    role: Role
    created_at: datetime
    promoted_at: datetime | None
    """When it last began to serve."""


@dataclass(frozen=True, slots=True)
class Generations:
    """Those of one projection, oldest first."""

    projection: str
    all: tuple[Generation, ...]

    @property
    def serving(self) -> Generation:
        """Raises NoGenerationError."""
        found = self._in_role("serving")
        if not found:
            raise NoGenerationError(f"{self.projection} has no tables: run `moot migrate`")
        return found[0]

    @property
    def building(self) -> Generation | None:
        found = self._in_role("building")
        return found[0] if found else None

    @property
    def previous(self) -> Generation | None:
        """The one that served last before the serving one."""
        served = [g for g in self._in_role("retired") if g.promoted_at is not None]
        return max(served, key=lambda g: (g.promoted_at, g.number), default=None)

    def numbered(self, number: int) -> Generation:
        """Raises NoGenerationError."""
        for generation in self.all:
            if generation.number == number:
                return generation
        raise NoGenerationError(f"{self.projection} has no generation {number}")

    def _in_role(self, role: Role) -> list[Generation]:
        return [generation for generation in self.all if generation.role == role]


async def generations(database: Pool | Connection, projection: str) -> Generations:
    rows = await database.fetch(ALL, projection)
    return Generations(
        projection,
        tuple(
            Generation(
                projection,
                row["generation"],
                row["schema"],
                row["role"],
                row["created_at"],
                row["promoted_at"],
            )
            for row in rows
        ),
    )


async def begun(pool: Pool, projection: str) -> Generation:
    """Return the generation that is being built; it is new and empty if none was.

    Raises NoGenerationError for a projection without tables.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(LOCK)
        found = await generations(connection, projection)
        if found.building is not None:
            return found.building
        number = max(found.serving.number, found.all[-1].number) + 1
        schema = await connection.fetchval(CREATE, projection, number)
        await connection.execute(tables_of(projection, schema, state="rebuilding"))
        for row in await connection.fetch(GRANTS, found.serving.schema, schema):
            await connection.execute(row["grant_again"])
        log.warning("generation_begun", projection=projection, schema=schema)
        return (await generations(connection, projection)).numbered(number)


async def count_rows(pool: Pool, generation: Generation, tables: Sequence[str]) -> None:
    """Let PostgreSQL look at the tables, or it would plan its first queries for empty ones."""
    for table in tables:
        await pool.execute(f'ANALYZE "{generation.schema}"."{table}"')


async def drop(pool: Pool, generation: Generation) -> None:
    """Drop a generation unless it serves, with whoever builds it."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(LOCK)
        schema = await connection.fetchval(FORGET, generation.projection, generation.number)
        if schema is not None:
            await connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
            log.warning("generation_dropped", projection=generation.projection, schema=schema)


async def drop_outdated(pool: Pool, projection: str) -> None:
    """Drop what neither serves, nor is built, nor could be switched back to."""
    found = await generations(pool, projection)
    kept = {found.serving, found.building, found.previous}
    for generation in found.all:
        if generation not in kept:
            await drop(pool, generation)


async def show(connection: Connection, generation: Generation, position: int, sign: str) -> None:
    """Let it serve, in the caller's transaction, which holds LOCK and both checkpoints' rows.

    It is at `position`, of which those who wait are told; `sign` is `-` where that is a step back.
    """
    name = generation.projection
    before = (await generations(connection, name)).serving
    await _keep_readers_out(connection, generation.schema)
    await connection.execute(CHANGE_ROLE, name, before.number, "retired")
    await connection.execute(CHANGE_ROLE, name, generation.number, "serving")
    await connection.execute(SHOW, name)
    await connection.execute(TELL, PROGRESS_CHANNEL, f"{name}:{sign}{position}")


async def _keep_readers_out(connection: Connection, schema: str) -> None:
    """Take the locks of the views that show it, all at once.

    Statements take them in orders of their own, so whoever waits for one with others in hand is
    soon waited for. So each attempt lets go of all it has; most find a moment without a reader.
    Raises LockNotAvailableError if readers never let go.
    """
    views = [row["tablename"] for row in await connection.fetch(TABLES, schema)]
    together = "; ".join(KEEP_OUT.format(view) for view in views)
    for patience in PATIENCE_MS[:-1]:
        with suppress(LockNotAvailableError):
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout TO {patience}; {together}")
                return
        await asyncio.sleep(APART_SECONDS)
    await connection.execute(f"SET LOCAL lock_timeout TO {PATIENCE_MS[-1]}; {together}")
