"""How much goes into a transaction, and how long it may take."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from moot.contracts.envelope import Recorded
from moot.projector.debates.projection import DEBATES
from moot.runtime import projection_runner
from moot.runtime.database import Connection, Pool, PositionWaiter
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.projection_runner import ProjectionRunner, Replica
from moot.runtime.projection_scope import Scope
from tests.integration.projector.running import reached, running
from tests.support.recording import everything, record
from tests.support.tables import schema_of
from tests.support.waiting import until

HALVINGS = 3


async def test_after_an_outage_transactions_grow_again_one_by_one(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    tries, sizes = 0, list[int]()

    async def apply(_: Connection, batch: Sequence[Recorded]) -> None:
        nonlocal tries
        tries += 1
        if tries <= HALVINGS:
            raise ConnectionRefusedError("there is no PostgreSQL")
        sizes.append(len(batch))

    last = await record(chronicle, everything())
    late = replace(DEBATES, name="late_v1", apply=apply)
    scope = Scope(schema_of(DEBATES.name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projection_runner, "MOST_EVENTS", 2**HALVINGS)
        runner = ProjectionRunner(late, chronicle, pool, Replica("one"), scope)
    async with running(runner):
        await reached(waiter, last, ["late_v1"])
    assert sizes[0] == 1
    assert len(sizes) <= last.bit_length()


async def test_a_transaction_that_takes_too_long_is_told_as_such(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    slow = True

    async def apply(connection: Connection, _: Sequence[Recorded]) -> None:
        if slow:
            await connection.execute("SELECT pg_sleep(60)")

    last = await record(chronicle, everything())
    late = replace(DEBATES, name="late_v1", apply=apply)
    scope = Scope(schema_of(DEBATES.name), transaction_timeout=timedelta(seconds=0.5))
    runner = ProjectionRunner(late, chronicle, pool, Replica("one"), scope)

    async def is_told() -> bool:
        reason = await runner.readiness()
        return reason is not None and reason.startswith("TransactionTimeoutError: ")

    async with running(runner):
        await until(is_told)
        slow = False
        await reached(waiter, last, ["late_v1"])
