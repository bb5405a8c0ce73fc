"""Reacting on a real NATS: at least once, whatever fails."""

import asyncio
import base64
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from moot.cli.local.nats_server import NatsServer
from moot.contracts.envelope import Recorded
from moot.contracts.subjects import CHRONICLE, DEAD, StreamName
from moot.runtime import reactor
from moot.runtime.chronicle import Chronicle, Message
from moot.runtime.jetstream_api import ask
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.reactor import Later, NotProvisionedError, Reactor, Subscription
from tests.support.debates import Debates
from tests.support.recording import envelope, record, topic_id
from tests.support.topics import proposed, with_signup_open
from tests.support.waiting import until

STREAM = StreamName("topic", topic_id("one"))


@dataclass
class Seen:
    """Reacts by taking note; first raises what it was told to."""

    raising: list[Exception] = field(default_factory=list[Exception])
    types: list[str] = field(default_factory=list[str])
    tries: int = 0

    async def react(self, recorded: Recorded) -> str:
        self.tries += 1
        if self.raising:
            raise self.raising.pop(0)
        self.types.append(recorded.event.type.split(".")[2])
        return "seen"


@asynccontextmanager
async def reacting(
    nats_url: str, react: Callable[[Recorded], Awaitable[str | None]], in_flight: int = 1
) -> AsyncGenerator[Reactor]:
    running = Reactor("allocator", nats_url, [Subscription("allocator", "topic", react, in_flight)])
    await running.start()
    yield running
    await running.stop()


async def unsettled(connection: NatsConnection) -> int:
    info = await ask(connection, f"CONSUMER.INFO.{CHRONICLE}.allocator")
    return info["num_pending"] + info["num_ack_pending"]


async def all_settled(connection: NatsConnection) -> None:
    async def settled() -> bool:
        return await unsettled(connection) == 0

    await until(settled)


@pytest.fixture
def chronicle(debates: Debates) -> Chronicle:
    return debates.chronicle


async def test_each_event_is_reacted_to_in_order_and_settled(
    nats_url: str, chronicle: Chronicle, connection: NatsConnection
) -> None:
    seen = Seen()
    await record(chronicle, [(STREAM, event) for event in with_signup_open().history])
    async with reacting(nats_url, seen.react) as running:
        await all_settled(connection)
        assert await running.acknowledged_through("allocator") == 3
    assert seen.types == ["topic_created", "signup_opened", "draw_committed"]


async def test_a_fault_is_tried_again_until_it_is_over(
    nats_url: str, chronicle: Chronicle, connection: NatsConnection
) -> None:
    seen = Seen(raising=[ConnectionError("away")] * 3)
    await record(chronicle, [(STREAM, proposed().history[0])])
    async with reacting(nats_url, seen.react):
        await all_settled(connection)
    assert (seen.tries, seen.types) == (4, ["topic_created"])


async def test_what_is_for_later_comes_later(
    nats_url: str, chronicle: Chronicle, connection: NatsConnection
) -> None:
    seen = Seen(raising=[Later(0.05, "busy")])
    await record(chronicle, [(STREAM, proposed().history[0])])
    async with reacting(nats_url, seen.react):
        await all_settled(connection)
    assert (seen.tries, seen.types) == (2, ["topic_created"])


async def test_what_cannot_be_read_is_set_aside_with_its_reason_and_the_rest_goes_on(
    nats_url: str, chronicle: Chronicle, connection: NatsConnection
) -> None:
    seen = Seen()
    await chronicle.append(StreamName("topic", uuid4().hex), 0, [Message(uuid4().hex, b"{}")])
    await record(chronicle, [(STREAM, proposed().history[0])])
    async with reacting(nats_url, seen.react):
        await all_settled(connection)
    assert seen.types == ["topic_created"]
    dead = (await ask(connection, f"STREAM.MSG.GET.{DEAD}", {"seq": 1}))["message"]
    assert dead["subject"] == "dead.allocator"
    headers = base64.b64decode(dead["hdrs"]).decode()
    assert "Moot-Position: 1\r\n" in headers
    assert "Moot-Durable: allocator\r\n" in headers
    assert re.search("Moot-Reason: .*missing", headers)
    assert (await ask(connection, f"STREAM.INFO.{DEAD}"))["state"]["messages"] == 1


async def test_a_type_that_only_newer_code_knows_waits_for_that_code(
    nats_url: str, chronicle: Chronicle, connection: NatsConnection
) -> None:
    body = envelope(STREAM, proposed().history[0], 1).to_bytes()
    newer = body.replace(b"moot.topic.topic_created.v1", b"moot.topic.topic_created.v9")
    await chronicle.append(STREAM, 0, [Message(uuid4().hex, newer)])
    async with reacting(nats_url, Seen().react):

        async def tried_again() -> bool:
            info = await ask(connection, f"CONSUMER.INFO.{CHRONICLE}.allocator")
            return info["num_redelivered"] > 0

        await until(tried_again)
    assert await unsettled(connection) == 1


async def test_slow_work_is_not_given_to_somebody_else(
    nats_url: str,
    chronicle: Chronicle,
    connection: NatsConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = (await ask(connection, f"CONSUMER.INFO.{CHRONICLE}.allocator"))["config"]
    config["ack_wait"] = 300_000_000
    subject = f"CONSUMER.CREATE.{CHRONICLE}.allocator.chronicle.topic.>"
    await ask(connection, subject, {"stream_name": CHRONICLE, "config": config})
    tries = 0

    async def slow(_: Recorded) -> str:
        nonlocal tries
        tries += 1
        # Longer than the server waits for an answer.
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.Event().wait()
        return "done"

    monkeypatch.setattr(reactor, "POLL_SECONDS", 0.2)
    await record(chronicle, [(STREAM, proposed().history[0])])
    async with reacting(nats_url, slow, in_flight=2):
        await all_settled(connection)
    assert tries == 1


async def test_a_restart_of_nats_loses_nothing(
    nats_url: str, nats_server: NatsServer, chronicle: Chronicle, connection: NatsConnection
) -> None:
    seen = Seen()
    async with reacting(nats_url, seen.react, in_flight=4):
        await nats_server.kill()
        await nats_server.start()
        await record(chronicle, [(STREAM, proposed().history[0])])
        await all_settled(connection)
    assert seen.types == ["topic_created"]


async def test_a_durable_that_is_missing_is_said_and_not_made(nats_server: NatsServer) -> None:
    connection = NatsConnection()
    await connection.open(nats_server.url, name="tests")
    config = {"name": CHRONICLE, "subjects": ["chronicle.>"]}
    await ask(connection, f"STREAM.CREATE.{CHRONICLE}", config)
    running = Reactor(
        "allocator", nats_server.url, [Subscription("allocator", "topic", Seen().react)]
    )
    with pytest.raises(NotProvisionedError, match="moot provision"):
        await running.start()
    await running.stop()
    names = await ask(connection, f"CONSUMER.NAMES.{CHRONICLE}")
    assert not names["consumers"]
    await connection.close()
