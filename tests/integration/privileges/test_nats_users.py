"""What each user of NATS may not do, each tried, on the file that containers are given."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from moot.cli.credentials import NATS_USERS
from moot.contracts.subjects import CATEGORIES, CHRONICLE, Category
from moot.runtime.provision import DURABLES
from tests.support.privileged import Privileged
from tests.support.waiting import until

DECIDES: dict[str, set[Category]] = {
    "provision": set(),
    "ticker": {"topic", "delivery"},
    "allocator": {"topic"},
    "announcer": {"delivery"},
    "projector": set(),
    "api": {"topic", "access", "delivery", "artifact", "posture"},
    "operator": {"operation", "delivery"},
    "auditor": set(),
}
REACTS = {
    "allocator": {"allocator"},
    "announcer": {"announcer", "announcer_deliveries"},
}
FOLLOWS = {"ticker", "projector", "api", "operator", "auditor"}

STREAMS = (CHRONICLE, "DEAD")

FOR_NOBODY = (
    "STREAM.DELETE.CHRONICLE",
    "STREAM.PURGE.CHRONICLE",
    "STREAM.MSG.DELETE.CHRONICLE",
    "STREAM.DELETE.DEAD",
    "STREAM.PURGE.DEAD",
    "STREAM.CREATE.ANOTHER",
    "STREAM.NAMES",
    "STREAM.LIST",
    "CONSUMER.NAMES.CHRONICLE",
    "CONSUMER.LIST.CHRONICLE",
    # Without a consumer's name in it, none could be denied.
    "CONSUMER.CREATE.CHRONICLE",
    "CONSUMER.DURABLE.CREATE.CHRONICLE.mine",
    "CONSUMER.PAUSE.CHRONICLE.announcer",
    "CONSUMER.RESET.CHRONICLE.announcer",
    "CONSUMER.UNPIN.CHRONICLE.announcer",
    "META.LEADER.STEPDOWN",
    "ACCOUNT.PURGE.$G",
)
NEVER_STORED = {"Nats-Expected-Last-Sequence": "1000000"}
"""Whoever may publish is told that this isn't so."""


@dataclass
class Connected:
    """One user's connection. `refused` is what the server said of it."""

    user: str
    client: Client
    refused: list[str] = field(default_factory=list[str])

    async def publishes(self, subject: str) -> bool:
        """Whether the server takes it: it says no before it answers a ping."""
        before = len(self.refused)
        await self.client.publish(subject, b"{}", headers=NEVER_STORED)
        await self._heard_out()
        return len(self.refused) == before

    async def listens_to(self, subject: str) -> bool:
        before = len(self.refused)
        subscription = await self.client.subscribe(subject)  # pyright: ignore[reportUnknownMemberType]
        await self._heard_out()
        if len(self.refused) > before:
            return False
        await subscription.unsubscribe()
        return True

    async def asks(self, request: str, body: object = None) -> dict[str, Any]:
        payload = b"" if body is None else json.dumps(body).encode()
        return json.loads((await self.client.request(f"$JS.API.{request}", payload)).data)

    async def _heard_out(self) -> None:
        """Return when the server has said all it has to say of what was sent."""
        await self.client.flush()  # whose ping overtakes what was sent
        await self.client.flush()


@asynccontextmanager
async def connected(servers: Privileged, user: str) -> AsyncGenerator[Connected]:
    refused: list[str] = []

    async def note(error: Exception) -> None:
        refused.append(str(error))

    client = Client()
    await client.connect(servers.url(user, "nats"), inbox_prefix=f"_INBOX_{user}", error_cb=note)
    try:
        yield Connected(user, client, refused)
    finally:
        await client.close()


def test_every_user_is_tried() -> None:
    assert set(DECIDES) == set(NATS_USERS)


@pytest.mark.parametrize("user", NATS_USERS)
async def test_a_user_appends_in_the_categories_that_it_decides_and_in_no_other(
    servers: Privileged, user: str
) -> None:
    async with connected(servers, user) as it:
        may = {c for c in CATEGORIES if await it.publishes(f"chronicle.{c}.someone")}
        assert may == DECIDES[user]
        longer = [f"chronicle.{c}.some.one" for c in CATEGORIES]
        assert not [subject for subject in longer if await it.publishes(subject)]


@pytest.mark.parametrize("user", NATS_USERS)
async def test_nobody_deletes_or_purges_a_stream_and_none_but_provision_changes_one(
    servers: Privileged, user: str
) -> None:
    changing = {f"STREAM.{verb}.{name}" for verb in ("CREATE", "UPDATE") for name in STREAMS}
    async with connected(servers, user) as it:
        assert await allowed(it, FOR_NOBODY) == set()
        expected = changing if user == "provision" else set[str]()
        assert await allowed(it, changing) == expected


@pytest.mark.parametrize("user", NATS_USERS)
async def test_who_reads_all_backs_up_and_provision_restores_what_is_not_there(
    servers: Privileged, user: str
) -> None:
    backs_up = {f"STREAM.SNAPSHOT.{name}" for name in STREAMS}
    restores = {f"STREAM.RESTORE.{name}" for name in STREAMS}
    async with connected(servers, user) as it:
        expected = backs_up if user in {"operator", "auditor"} else set[str]()
        assert await allowed(it, backs_up | restores) == (
            restores if user == "provision" else expected
        )


@pytest.mark.parametrize("user", NATS_USERS)
async def test_a_durable_consumer_is_its_reactors_and_only_provision_says_what_it_is(
    servers: Privileged, user: str
) -> None:
    async with connected(servers, user) as it:
        for durable in DURABLES:
            its_own = durable.name in REACTS.get(user, set())
            changing = list(_changing(durable.name))
            if user == "provision":
                # It names the durable's subject each time, or couldn't say what it filters.
                assert await allowed(it, changing) == {changing[1]}
            else:
                assert await allowed(it, changing) == set()
            taking = f"CONSUMER.MSG.NEXT.{CHRONICLE}.{durable.name}"
            assert await it.publishes(f"$JS.API.{taking}") is its_own
            acknowledging = f"$JS.ACK.{CHRONICLE}.{durable.name}.1.1.1.1.0"
            assert await it.publishes(acknowledging) is its_own


def _changing(durable: str) -> Iterator[str]:
    yield f"CONSUMER.CREATE.{CHRONICLE}.{durable}"
    yield f"CONSUMER.CREATE.{CHRONICLE}.{durable}.chronicle.topic.>"
    yield f"CONSUMER.DURABLE.CREATE.{CHRONICLE}.{durable}"
    yield f"CONSUMER.DELETE.{CHRONICLE}.{durable}"


@pytest.mark.parametrize("user", sorted(FOLLOWS))
async def test_a_reader_cannot_name_a_durable_where_nobody_looks(
    servers: Privileged, user: str
) -> None:
    async with connected(servers, "provision") as provision:
        before = await provision.asks(f"CONSUMER.INFO.{CHRONICLE}.allocator")
        async with connected(servers, user) as it:
            for name in ({"name": "allocator"}, {"durable_name": "allocator"}):
                config = {**name, "deliver_policy": "all", "ack_policy": "none"}
                body = {"stream_name": CHRONICLE, "config": config}
                answer = await it.asks(f"CONSUMER.CREATE.{CHRONICLE}.mine", body)
                assert answer.get("name", "mine") == "mine"
        after = await provision.asks(f"CONSUMER.INFO.{CHRONICLE}.allocator")
    assert after["config"] == before["config"]
    assert after["created"] == before["created"]


@pytest.mark.parametrize("user", NATS_USERS)
async def test_nobody_listens_to_what_is_anothers(servers: Privileged, user: str) -> None:
    others = {f"_INBOX_{other}.>" for other in NATS_USERS if other != user}
    broad = {">", "*.>", "_INBOX.>", "chronicle.>", "dead.>", "live.>", "$JS.>", "$SYS.>"}
    async with connected(servers, user) as it:
        assert {s for s in others | broad if await it.listens_to(s)} == set()
        assert await it.listens_to(f"_INBOX_{user}.>")
        assert await it.listens_to("live.ticker.*") is (user == "ticker")


@pytest.mark.parametrize("user", NATS_USERS)
async def test_nobody_speaks_for_another(servers: Privileged, user: str) -> None:
    async with connected(servers, user) as it:
        assert await it.publishes("live.ticker.ticker-1") is (user == "ticker")
        for subject in ("live.api.api-1", "live.allocator.1", "$SYS.REQ.SERVER.PING", "anything"):
            assert not await it.publishes(subject)
        for service in ("allocator", "announcer", "projector"):
            its_own = user == service and user in REACTS
            assert await it.publishes(f"dead.{service}") is its_own
        for other in NATS_USERS:
            assert not await it.publishes(f"_INBOX_{other}.1")


async def test_a_reader_has_nothing_delivered_to_another(servers: Privileged) -> None:
    heard: list[Msg] = []
    mine: list[Msg] = []

    async def hear(message: Msg) -> None:
        heard.append(message)

    async def receive(message: Msg) -> None:
        mine.append(message)

    async def has_come() -> bool:
        return bool(mine)

    async with connected(servers, "ticker") as ticker, connected(servers, "api") as api:
        for subject in ("live.ticker.*", "_INBOX_ticker.>"):
            await ticker.client.subscribe(subject, cb=hear)  # pyright: ignore[reportUnknownMemberType]
        await ticker.client.flush()
        await api.client.subscribe("_INBOX_api.mine", cb=receive)  # pyright: ignore[reportUnknownMemberType]
        for number, subject in enumerate(
            ("live.ticker.evil", "_INBOX_ticker.evil", "$JS.API.STREAM.DELETE.DEAD")
        ):
            await _delivered_to(api, f"evil-{number}", subject)
        await _delivered_to(api, "good", "_INBOX_api.mine")
        await api.client.request("chronicle.artifact.delivered", b"{}")
        await until(has_come)
        await ticker.client.flush()
    assert heard == []
    async with connected(servers, "provision") as provision:
        assert "config" in await provision.asks("STREAM.INFO.DEAD")


async def _delivered_to(it: Connected, name: str, subject: str) -> None:
    config = {
        "name": name,
        "deliver_policy": "all",
        "ack_policy": "none",
        "deliver_subject": subject,
    }
    request = f"CONSUMER.CREATE.{CHRONICLE}.{name}"
    answer = await it.asks(request, {"stream_name": CHRONICLE, "config": config})
    assert "error" not in answer


async def allowed(it: Connected, requests: Iterable[str]) -> set[str]:
    return {request for request in requests if await it.publishes(f"$JS.API.{request}")}


async def test_without_a_password_or_with_anothers_nobody_comes_in(servers: Privileged) -> None:
    its_own = urlsplit(servers.url("api", "nats"))
    for told in (
        {},
        {"user": "api"},
        {"user": "provision", "pass": its_own.password},
        {"user": "$SYS", "pass": its_own.password},
    ):
        reading, writing = await asyncio.open_connection(its_own.hostname, its_own.port)
        writing.write(f"CONNECT {json.dumps(told)}\r\nPING\r\n".encode())
        answers = await reading.read()
        writing.close()
        await writing.wait_closed()
        assert b"Authorization Violation" in answers
        assert b"PONG" not in answers
