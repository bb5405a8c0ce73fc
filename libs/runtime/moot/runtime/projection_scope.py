"""Which copy of a projection's tables is written, and how: one *generation*, in its own schema.

`ops` has only views, of the generations that serve. Others are built beside them or kept for a
rollback; what a view shows changes in one transaction (`moot.projector.generations`).
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from moot.runtime.database import PROGRESS_CHANNEL, Connection

SERVING = """
SELECT schema FROM ops.projection_generations WHERE projection = $1 AND role = 'serving'
"""

SET_SCOPE = """
SELECT set_config('search_path', $1, true), set_config('transaction_timeout', $2, true)
"""

# Nobody reads what is built, and a crash leaves its checkpoint with its rows: no need to wait for
# the disk. The commit that lets it serve waits, and all that was written before is on it then.
SET_BUILDING_SCOPE = """
SELECT set_config('search_path', $1, true), set_config('transaction_timeout', $2, true),
    set_config('synchronous_commit', 'off', true)
"""

STATEMENTS = (SERVING, SET_SCOPE, SET_BUILDING_SCOPE)


class NothingServesError(Exception):
    """The projection has no tables yet."""

    def __init__(self, projection: str) -> None:
        super().__init__(f"{projection} has no tables: run `moot migrate`")


async def serving_schema(connection: Connection, projection: str) -> str:
    """Raises NothingServesError."""
    schema = await connection.fetchval(SERVING, projection)
    if schema is None:
        raise NothingServesError(projection)
    return schema


@dataclass(frozen=True, slots=True)
class Scope:
    """In which schema the tables are, to whom progress is told, and after which position to end.

    Without a `schema` it is that of the serving generation, looked up for each turn: another may
    serve by the next. One that `builds` owns a generation that doesn't serve, whatever pauses say.
    `transaction_timeout` ends an owner that was stopped inside its transaction, whose row locks
    would keep others from taking over.
    """

    schema: str | None = None
    channel: str | None = PROGRESS_CHANNEL
    transaction_timeout: timedelta = timedelta(seconds=2)
    until: int | None = None
    builds: bool = False

    async def found(self, connection: Connection, projection: str) -> Self:
        """Return it with a schema. Raises NothingServesError."""
        if self.schema is not None:
            return self
        return replace(self, schema=await serving_schema(connection, projection))

    @asynccontextmanager
    async def transaction(self, connection: Connection) -> AsyncGenerator[None]:
        if self.schema is None:
            raise ValueError("a scope without a schema has to be `found` first")
        timeout = f"{self.transaction_timeout / timedelta(milliseconds=1):.0f}ms"
        async with connection.transaction():
            set_scope = SET_BUILDING_SCOPE if self.builds else SET_SCOPE
            await connection.execute(set_scope, self.schema, timeout)
            yield
