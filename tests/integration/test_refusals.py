"""What a process says of itself whose NATS user lacks a right, or whose password is wrong."""

import json
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import pytest

from moot.cli.local.nats_server import NatsServer
from moot.contracts.envelope import Recorded
from moot.contracts.subjects import CHRONICLE
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import LostAnswerError, NatsConnection, connect
from moot.runtime.provision import check_chronicle
from moot.runtime.reactor import Reactor, Subscription
from tests.support.waiting import until

LOOKS = f"$JS.API.STREAM.INFO.{CHRONICLE}"
APPENDS = "chronicle.topic.*"
FOLLOWS = f"$JS.API.CONSUMER.INFO.{CHRONICLE}.allocator"
TAKES = f"$JS.API.CONSUMER.MSG.NEXT.{CHRONICLE}.allocator"


@dataclass
class Guarded:
    """A server that one user may use, as it is told."""

    server: NatsServer

    async def allow(self, *publish: str, is_known: bool = True) -> None:
        """Let the server read another configuration, and wait until it goes by it."""
        file = self.server.folder / "nats-server.conf"
        permissions = {"publish": list(publish), "subscribe": ["_INBOX_someone.>"]}
        user = {
            "user": "someone",
            "password": "right" if is_known else "wrong",
            "permissions": permissions,
        }
        settings = json.loads(file.read_text()) | {"authorization": {"users": [user]}}
        file.write_text(json.dumps(settings))
        before = await self._loaded_at()

        async def has_loaded_it() -> bool:
            return await self._loaded_at() != before

        os.kill(self.server.pid, signal.SIGHUP)
        await until(has_loaded_it)

    async def _loaded_at(self) -> str:
        async with httpx2.AsyncClient(base_url=self.server.monitor_url) as http:
            return (await http.get("/varz")).json()["config_load_time"]

    @property
    def nats_url(self) -> str:
        return self.server.url.replace("//", "//someone:right@")


@pytest.fixture
async def guarded(nats_server: NatsServer, nats_url: str) -> Guarded:
    """Provisioned, by somebody who is no longer allowed in."""
    assert nats_url == nats_server.url
    return Guarded(nats_server)


@asynccontextmanager
async def connected(guarded: Guarded) -> AsyncGenerator[NatsConnection]:
    connection = NatsConnection()
    await connection.open(guarded.nats_url, name="tests")
    try:
        yield connection
    finally:
        await connection.close()


async def test_who_may_not_append_says_so_before_there_is_anything_to_append(
    guarded: Guarded,
) -> None:
    await guarded.allow(LOOKS)
    async with connected(guarded) as connection:

        async def holds() -> bool:
            return await check_chronicle(connection, appends=("topic", "access")) == []

        assert await check_chronicle(connection) == []
        [problem] = await check_chronicle(connection, appends=("topic", "access"))
        both = "publish to chronicle.access.tried, publish to chronicle.topic.tried"
        assert problem == f"NATS refuses this user: {both}"
        await guarded.allow(LOOKS, "chronicle.*.*")
        await until(holds)
        assert connection.sessions == 1
        assert await JetStreamChronicle(connection).head() == 0


async def test_who_may_not_even_look_says_what_is_refused(guarded: Guarded) -> None:
    await guarded.allow(APPENDS)
    async with connected(guarded) as connection:
        [problem] = await check_chronicle(connection, appends=("topic",))

    assert problem == f"NATS refuses this user: publish to {LOOKS.lower()}"


async def test_a_wrong_password_is_told(guarded: Guarded) -> None:
    await guarded.allow(LOOKS, is_known=False)

    with pytest.raises(LostAnswerError, match="Authorization Violation"):
        await connect(guarded)


async def test_a_password_that_changes_is_told_until_it_is_right_again(guarded: Guarded) -> None:
    await guarded.allow(LOOKS)
    async with connected(guarded) as connection:

        async def is_kept_out() -> bool:
            [*problems] = await check_chronicle(connection)
            return any("Authorization Violation" in problem for problem in problems)

        async def holds() -> bool:
            return await check_chronicle(connection) == []

        assert await holds()
        await guarded.allow(LOOKS, is_known=False)
        await until(is_kept_out)
        await guarded.allow(LOOKS)
        await until(holds)


async def test_a_reactor_that_may_not_take_its_messages_says_so(guarded: Guarded) -> None:
    async def react(event: Recorded) -> str | None:
        raise AssertionError(event)

    await guarded.allow(FOLLOWS)
    reactor = Reactor("tests", guarded.nats_url, [Subscription("allocator", "topic", react)])

    async def is_refused() -> bool:
        return await reactor.check() == f"NATS refuses this user: publish to {TAKES.lower()}"

    await reactor.start()
    try:
        await until(is_refused)
    finally:
        await reactor.stop()
