"""The schema comes and goes by revision, whoever else migrates at the same time."""

import asyncio
import sys

import asyncpg

from moot.projector.app import TABLES
from moot.projector.migrate import EMPTY, migrate, newest_revision
from moot.runtime.database import connect_pool, schema_problem
from moot.runtime.settings import DatabaseSettings


async def tables_in(database_url: str, schema: str) -> set[str]:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = $1", schema
        )
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    for _ in range(2):
        await asyncio.to_thread(migrate, database_url)
        assert await tables_in(database_url, "ops") == set(TABLES)
        assert await tables_in(database_url, "access") == {"last_used"}


async def test_threads_that_migrate_at_the_same_time_wait_for_each_other(database_url: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(migrate, database_url) for _ in range(4)))
    assert await tables_in(database_url, "ops") == set(TABLES)


async def test_processes_that_migrate_at_the_same_time_wait_for_each_other(
    database_url: str,
) -> None:
    program = "import sys; from moot.projector.migrate import migrate; migrate(sys.argv[1])"
    migrators = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", program, database_url)
        for _ in range(3)
    ]
    assert [await migrator.wait() for migrator in migrators] == [0, 0, 0]
    assert await tables_in(database_url, "ops") == set(TABLES)


async def test_it_goes_back_to_an_empty_database_and_up_again(database_url: str) -> None:
    await asyncio.to_thread(migrate, database_url)
    await asyncio.to_thread(migrate, database_url, EMPTY)
    assert await tables_in(database_url, "ops") == set()
    await asyncio.to_thread(migrate, database_url, newest_revision())
    assert await tables_in(database_url, "ops") == set(TABLES)


async def test_missing_tables_are_named(settings: DatabaseSettings) -> None:
    pool = await connect_pool(settings, name="tests")
    try:
        problem = await schema_problem(pool, ["topics", "dead_letters"])
        assert problem is not None
        assert "dead_letters, topics; run `moot migrate`" in problem
        await asyncio.to_thread(migrate, settings.database_url)
        assert await schema_problem(pool, TABLES) is None
    finally:
        await pool.close()
