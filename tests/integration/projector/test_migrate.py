"""The schema comes and goes by revision, whoever else migrates at the same time."""

import asyncio
import sys

import asyncpg
import pytest

from moot.projector.app import TABLES
from moot.projector.migrate import EMPTY, migrate, newest_revision
from moot.projector.projections import PROJECTIONS
from moot.runtime.database import connect_pool, schema_problem
from moot.runtime.settings import DatabaseSettings


@pytest.fixture
def database_url(empty_database_url: str) -> str:
    """One that nobody has migrated before the test does."""
    return empty_database_url


async def tables_in(database_url: str, schema: str) -> set[str]:
    return await found_in(
        database_url, "SELECT tablename FROM pg_tables WHERE schemaname = $1", schema
    )


async def views_in(database_url: str, schema: str) -> set[str]:
    return await found_in(
        database_url, "SELECT viewname FROM pg_views WHERE schemaname = $1", schema
    )


async def found_in(database_url: str, statement: str, schema: str) -> set[str]:
    connection = await asyncpg.connect(database_url)
    try:
        return {row[0] for row in await connection.fetch(statement, schema)}
    finally:
        await connection.close()


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    for _ in range(2):
        await asyncio.to_thread(migrate, database_url)
        assert await views_in(database_url, "ops") == set(TABLES)
        assert await tables_in(database_url, "access") == {"last_used", "idempotency_keys"}


async def test_threads_that_migrate_at_the_same_time_wait_for_each_other(database_url: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(migrate, database_url) for _ in range(4)))
    assert await views_in(database_url, "ops") == set(TABLES)


async def test_processes_that_migrate_at_the_same_time_wait_for_each_other(
    database_url: str,
) -> None:
    program = "import sys; from moot.projector.migrate import migrate; migrate(sys.argv[1])"
    migrators = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", program, database_url)
        for _ in range(2)
    ]
    assert [await migrator.wait() for migrator in migrators] == [0, 0]
    assert await views_in(database_url, "ops") == set(TABLES)


async def test_it_goes_back_to_an_empty_database_and_up_again(database_url: str) -> None:
    await asyncio.to_thread(migrate, database_url)
    await asyncio.to_thread(migrate, database_url, EMPTY)
    assert await views_in(database_url, "ops") == await tables_in(database_url, "ops") == set()
    await asyncio.to_thread(migrate, database_url, newest_revision())
    assert await views_in(database_url, "ops") == set(TABLES)


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


async def test_what_an_older_installation_has_stays_in_place(database_url: str) -> None:
    await asyncio.to_thread(migrate, database_url, "0001")
    connection = await asyncpg.connect(database_url)
    await connection.execute(OLDER)
    oid = await connection.fetchval("SELECT 'ops.agent_keys'::regclass::oid")
    await asyncio.to_thread(migrate, database_url)
    assert (
        await connection.fetchval("SELECT 'ops_agent_keys_v1_1.agent_keys'::regclass::oid") == oid
    )
    assert await seen(connection) == (["bob"], LETTERS, FRESH | OLD | LATER)
    await asyncio.to_thread(migrate, database_url, "0001")
    assert await connection.fetchval("SELECT 'ops.agent_keys'::regclass::oid") == oid
    assert await seen(connection) == (["bob"], LETTERS, FRESH | OLD)
    await connection.close()


OLDER = """
INSERT INTO ops.agent_keys (agent_id, key_id, key_hash, issued_at, position)
VALUES ('bob', 'k1', 'h1', now(), 2);
INSERT INTO ops.projector_checkpoint (projection, position, epoch, owner)
VALUES ('debates_v1', 7, 3, 'somebody'), ('agent_keys_v1', 6, 3, 'somebody');
INSERT INTO ops.dead_letters (projection, position, key, event_id, subject, reason, stored_at)
SELECT name, 3, 'topic/1', 'e1', 'chronicle.topic.1', 'bad', now()
FROM unnest(ARRAY['debates_v1', 'deadlines_v1']) AS name;
"""
OLD = {("debates_v1", 7), ("agent_keys_v1", 6)}
LETTERS = [("deadlines_v1", 3), ("debates_v1", 3)]
FRESH = {("announcements_v1", 0), ("deadlines_v1", 0)}
LATER = {(each.name, 0) for each in PROJECTIONS} - {(name, 0) for name, _ in OLD | FRESH}


async def seen(
    connection: asyncpg.Connection,
) -> tuple[list[str], list[tuple[str, int]], set[tuple[str, int]]]:
    """Return the agents, the dead letters, and the checkpoints, which nobody owns."""
    agents = await connection.fetch("SELECT agent_id FROM ops.agent_keys")
    letters = await connection.fetch(
        "SELECT projection, position FROM ops.dead_letters ORDER BY projection"
    )
    checkpoints = await connection.fetch(
        "SELECT projection, position FROM ops.projector_checkpoint WHERE owner IS NULL"
    )
    return (
        [row["agent_id"] for row in agents],
        [(row["projection"], row["position"]) for row in letters],
        {(row["projection"], row["position"]) for row in checkpoints},
    )
