"""A rebuild equals the live tables, and says so when it doesn't."""

from moot.projector.app import make_runners
from moot.projector.projections import PROJECTIONS
from moot.projector.rebuild import compare
from moot.runtime.database import Pool, PositionWaiter
from moot.runtime.memory import InMemoryChronicle
from tests.integration.projector.running import NAMES, reached, running
from tests.support.recording import everything, record


async def test_a_rebuild_equals_the_live_tables(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    last = await record(chronicle, everything())
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, last)
        report = await compare(pool, chronicle)
    assert report.equal, report
    assert report.positions == dict.fromkeys(NAMES, last)
    tables = sum(len(projection.tables) for projection in PROJECTIONS)
    assert report.told == f"{report.rows} rows in {tables} tables"
    left = await pool.fetch("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'ops_rebuild_%'")
    assert not left


async def test_a_rebuild_finds_what_was_changed_by_hand(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    last = await record(chronicle, everything())
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, last)
    await pool.execute("UPDATE topics SET title = 'forged' WHERE status = 'cancelled'")
    await pool.execute("DELETE FROM agent_keys WHERE agent_id = 'bob'")
    report = await compare(pool, chronicle)
    assert report.told == "different rows in topics, agent_keys"
    different = {table.table: table for table in report.tables if not table.equal}
    assert set(different) == {"topics", "agent_keys"}
    assert '"title": "forged"' in different["topics"].only_live[0]
    assert '"agent_id": "bob"' in different["agent_keys"].only_rebuilt[0]
