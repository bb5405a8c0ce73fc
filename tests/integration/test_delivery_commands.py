"""`moot deliveries`, on real servers and a real projector."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from moot.contracts.catalogue import Event
from moot.contracts.deliveries import DeliveryRetried
from moot.contracts.ids import derived_id
from moot.contracts.subjects import StreamName
from moot.projector.app import build
from moot.projector.settings import ProjectorSettings
from moot.runtime.decoding import decoded
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from tests.support.hosted import hosted
from tests.support.local_moot import Done, moot
from tests.support.recording import Recorder, delivered, failed, topic_id
from tests.support.waiting import until

GOOD = StreamName("delivery", derived_id("queue", "good"))
BAD = StreamName("delivery", derived_id("queue", "bad"))
FAILED = f"{BAD.id}/{derived_id('announced', 'bad', '1')}"
ARRIVED = f"{GOOD.id}/{derived_id('announced', 'good', '1')}"


@dataclass(frozen=True)
class Set:
    """A Moot that has given up one delivery; two others arrived, or are open."""

    given: dict[str, str]
    chronicle: JetStreamChronicle

    async def run(self, *arguments: str) -> Done:
        return await asyncio.to_thread(moot, "deliveries", *arguments, given=self.given)

    async def json(self, *arguments: str) -> Any:  # noqa: ANN401 whatever it prints
        done = await self.run(*arguments, "--json")
        assert done.code == 0, done.errors
        return json.loads(done.said)

    async def events(self, queue: StreamName) -> Sequence[Event]:
        return [decoded(stored).event for stored in await self.chronicle.read(queue)]


@pytest.fixture
async def told(nats_url: str, database_url: str, connection: NatsConnection) -> AsyncIterator[Set]:
    given = {"NATS_URL": nats_url, "DATABASE_URL": database_url, "USER": "eve"}
    made = Set(given, JetStreamChronicle(connection))
    recorder = Recorder(made.chronicle)
    await recorder.add((GOOD, event) for event in delivered())
    await recorder.add((BAD, event) for event in failed())
    settings = ProjectorSettings(nats_url=nats_url, database_url=database_url, replica="one")

    async def is_there() -> bool:
        there = {one["id"]: one["status"] for one in await made.json("list")}
        if there.get(FAILED) != "failed":
            return False
        shown: dict[str, list[object]] = await made.json("show", FAILED)
        return len(shown["history"]) == 1

    async with hosted(build, settings):
        await until(is_there, within=30)
        yield made


async def test_an_operator_lists_deliveries_and_looks_at_one(told: Set) -> None:
    listed = await told.json("list")
    assert [one["status"] for one in listed] == ["failed", "requested", "delivered"]
    assert [one["id"] for one in await told.json("list", "--status", "failed")] == [FAILED]
    assert await told.json("list", "--topic", topic_id("argued"), "--limit", "1") == listed[:1]
    shown = await told.json("show", ARRIVED)
    assert [(one["outcome"], one["status"]) for one in shown["history"]] == [
        ("failed", 503),
        ("delivered", 201),
    ]
    people = await told.run("show", ARRIVED)
    assert "503" in people.said
    for wrong in (f"{BAD.id}/{BAD.id}", "nonsense"):
        assert (await told.run("show", wrong)).code == 1


async def test_an_operator_has_sent_again_what_was_given_up_for_one_reason(told: Set) -> None:
    would = await told.json("retry", "--error", "given", "--dry-run")
    assert would == {
        "dry_run": True,
        "retried": [FAILED],
        "refused": {},
        "errors": {"given up": 1},
    }
    assert len(await told.events(BAD)) == 2
    assert (await told.json("retry", "--error", "503"))["retried"] == []
    assert (await told.run("retry")).code == 1
    assert (await told.run("retry", FAILED, "--all")).code == 1

    done = await told.run("retry", "--error", "given", "--reason", "it is back")
    assert (done.code, done.said) == (0, "     1  given up\n1 are sent again.\n")
    last = (await told.events(BAD))[-1]
    assert isinstance(last, DeliveryRetried)
    assert (last.retried_by, last.reason) == ("admin:eve", "it is back")
    refused = await told.run("retry", ARRIVED)
    assert (refused.code, "already-delivered" in refused.errors) == (1, True)
