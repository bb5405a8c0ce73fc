"""What the pool of connections to the Ops DB does beyond asyncpg's own."""

import asyncpg

from moot.runtime.database import connect_pool
from moot.runtime.settings import DatabaseSettings

BORROWED = """
SELECT query, state FROM pg_stat_activity WHERE application_name = 'moot-tests'
"""


async def test_a_read_asks_the_server_one_thing(database_url: str) -> None:
    query, state = await _left_behind(database_url, "SELECT 'read'")
    assert (query, state) == ("SELECT 'read'", "idle")


async def test_a_transaction_left_open_is_rolled_back(database_url: str) -> None:
    query, state = await _left_behind(database_url, "BEGIN")
    assert (query, state) == ("ROLLBACK", "idle")


async def _left_behind(database_url: str, statement: str) -> tuple[str, str]:
    """Return the last statement and the state of the session that ran `statement`."""
    settings = DatabaseSettings(nats_url="nats://127.0.0.1:1", database_url=database_url)
    pool = await connect_pool(settings, name="tests", size=1)
    watcher = await asyncpg.connect(database_url)
    try:
        await pool.execute(statement)
        rows = await watcher.fetch(BORROWED)
    finally:
        await watcher.close()
        await pool.close()
    [(query, state)] = rows
    return query, state
