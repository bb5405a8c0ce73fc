"""Brings a database's schema to a revision: raw SQL, one migrator at a time (advisory lock)."""

import asyncio
import threading
from collections.abc import Awaitable
from importlib.resources import files
from typing import Any, Protocol

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from moot.projector.tables import tables_of
from moot.runtime.database import connect_alone

EMPTY = "base"
VERSION_TABLE = "schema_revision"
MIGRATOR_LOCK = 8_041_972_113
"""Any constant that nothing else in the database takes as an advisory lock."""

ADD_PROJECTION = """
LOCK TABLE ops.projection_generations IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO ops.projection_generations (projection, generation, role, promoted_at)
VALUES ($1, 1, 'serving', clock_timestamp());
"""

SHOW_PROJECTION = """
SELECT ops.show_serving($1);
SET LOCAL search_path TO DEFAULT;
"""

DROP_PROJECTION = """
DO $$
DECLARE
    dropped text;
    schemas text[];
BEGIN
    SELECT array_agg(schema) INTO schemas
    FROM ops.projection_generations WHERE projection = $1;
    DELETE FROM ops.projection_generations WHERE projection = $1;
    DELETE FROM ops.projection_verification WHERE projection = $1;
    PERFORM ops.show_serving(min(projection)) FROM ops.projection_generations;
    FOREACH dropped IN ARRAY schemas LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', dropped);
    END LOOP;
END
$$
"""

# Alembic keeps the revision that runs in module globals: one at a time in a process, whatever the
# database. Between processes the advisory lock in migrations/env.py does it.
_one_at_a_time = threading.Lock()


def migrate(database_url: str, revision: str = "head") -> None:
    """Bring the schema up (or down) to `revision`; doing it again changes nothing.

    `base` is the empty database. Also works where an event loop is running, which it blocks.
    Raises what the driver raises when PostgreSQL can't be reached.
    """
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with _one_at_a_time:
                asyncio.run(_migrate(database_url, revision))
        except BaseException as error:  # noqa: BLE001 raised again where it was asked for
            failures.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    if failures:
        raise failures[0]


def newest_revision() -> str:
    """Return the revision that this code was written for."""
    return ScriptDirectory.from_config(_config()).get_current_head() or EMPTY


def run_script(connection: Connection, script: str) -> None:
    """Run several statements in the revision's transaction; the driver's own way takes only one."""
    driver: Any = connection.connection.dbapi_connection

    def execute(bare: _Bare) -> Awaitable[str]:
        return bare.execute(script)

    driver.run_async(execute)


def add_projection(connection: Connection, projection: str) -> None:
    """Make a new projection's tables and views, in a revision's transaction."""
    tables = tables_of(projection, f"ops_{projection}_1", state="live")
    run_script(connection, ADD_PROJECTION.replace("$1", f"'{projection}'"))
    run_script(connection, tables)
    run_script(connection, SHOW_PROJECTION.replace("$1", f"'{projection}'"))


def drop_projection(connection: Connection, projection: str) -> None:
    """Undo `add_projection`, and drop every generation since."""
    run_script(connection, DROP_PROJECTION.replace("$1", f"'{projection}'"))


class _Bare(Protocol):
    """The driver's own connection, beneath SQLAlchemy's."""

    def execute(self, script: str) -> Awaitable[str]: ...


def engine_on(database_url: str) -> AsyncEngine:
    """Return what Alembic works with; SQLAlchemy would read the address in a way of its own."""

    async def connect() -> Any:  # noqa: ANN401 the driver's own connection
        return await connect_alone(database_url)

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)


async def _migrate(database_url: str, revision: str) -> None:
    engine = engine_on(database_url)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run, revision)
            await connection.commit()
    finally:
        await engine.dispose()


def _run(connection: Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    if _is_older(revision, config, connection):
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


def _is_older(revision: str, config: Config, connection: Connection) -> bool:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    current = context.get_current_revision()
    if current is None:
        return False
    scripts = ScriptDirectory.from_config(config)
    wanted = None if revision == EMPTY else scripts.get_revision(revision)
    if wanted is None:
        return True
    until_now = {script.revision for script in scripts.iterate_revisions(current, EMPTY)}
    return wanted.revision != current and wanted.revision in until_now


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("moot.projector") / "migrations"))
    return config
