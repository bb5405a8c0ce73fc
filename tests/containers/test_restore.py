"""The drill of docs/operations.md: everything but the credentials is lost, and put back."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import pytest

from moot.cli.demo.evidence import Evidence
from moot.cli.demo.play import issue_keys
from moot.runtime.chronicle import Stored
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from tests.containers.conftest import Took
from tests.support.composed import Composed
from tests.support.debate_story import UNHURRIED, failures, play, small_debate

pytestmark = [pytest.mark.containers, pytest.mark.timeout(240)]

PAGE = 10_000


async def chronicle_of(stack: Composed) -> list[Stored]:
    connection = NatsConnection()
    await connection.open(stack.nats_url(), name="tests")
    try:
        chronicle = JetStreamChronicle(connection)
        found: list[Stored] = []
        while page := await chronicle.page(found[-1].position if found else 0, PAGE):
            found += page
        return found
    finally:
        await connection.close()


async def test_a_backup_brings_back_all_that_was_lost(
    stack: Composed, tmp_path: Path, took: Took
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    folder.chmod(0o777)  # for whoever is uid 1000 on this machine
    example = small_debate("before all was lost")
    async with stack.client() as client:
        keys = await issue_keys(client)
        before = await play(client, keys, example, pace=UNHURRIED).from_start_to_end()
        await stack.announced(before.topic_id)
        told = await client.get_topic(before.topic_id)
        argued = await client.list_arguments(before.topic_id).all()
    await asyncio.to_thread(stack.run, "moot", "backup", "/backups/now", mount=f"{folder}:/backups")
    was = await chronicle_of(stack)

    began = time.monotonic()
    await asyncio.to_thread(stack.lose, "nats-data", "postgres-data")
    kept = f"{folder}:/backups:ro"
    await asyncio.to_thread(stack.run, "provision", "restore", "/backups/now", mount=kept)
    await asyncio.to_thread(stack.up)
    took.note("all but the credentials lost, restored, ready", _since(began))

    assert (await chronicle_of(stack))[: len(was)] == was
    verified = (
        await asyncio.to_thread(stack.moot, "projections", "verify", "--whole")
    ).splitlines()
    assert verified
    assert all(line.endswith("all as the Chronicle says") for line in verified)
    async with stack.client() as client:
        assert await client.get_topic(before.topic_id) == told
        assert await client.list_arguments(before.topic_id).all() == argued
        another = small_debate("after all was restored")
        # The agents' keys from before are good.
        after = await play(client, keys, another, pace=UNHURRIED).from_start_to_end()
        await stack.announced(after.topic_id)
        evidence = await Evidence.gather(another, after, client, stack.guild(), stack.nats_url())
    assert failures(evidence.checks_after_faults()) == []


def _since(began: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - began)
