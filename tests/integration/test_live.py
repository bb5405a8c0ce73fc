"""Replicas hear each other: who is alive, who is fit, and how far apart their clocks are."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta

from moot.cli.local.nats_server import NatsServer
from moot.runtime.clock import utc_now
from moot.runtime.live import Heartbeats
from moot.runtime.nats_connection import NatsConnection
from tests.support.running import running
from tests.support.tcp_proxy import running_proxy
from tests.support.waiting import until

THREE_SECONDS = timedelta(seconds=3)


def subject(replica: str) -> str:
    return f"live.tests.{replica}"


def fast() -> datetime:
    return utc_now() + THREE_SECONDS


@asynccontextmanager
async def replica(
    url: str,
    name: str,
    *,
    now: Callable[[], datetime] = utc_now,
    fit: Callable[[], bool] = lambda: True,
    watcher: Callable[[], None] = lambda: None,
) -> AsyncGenerator[Heartbeats]:
    async with AsyncExitStack() as stack:
        connection = NatsConnection()
        await connection.open(url, name=name)
        stack.push_async_callback(connection.close)
        stack.enter_context(connection.watching(watcher))
        heartbeats = Heartbeats(connection, name, subject=subject, now=now, fit=fit)
        await stack.enter_async_context(running(heartbeats.run()))
        yield heartbeats


async def hears(heartbeats: Heartbeats, living: Mapping[str, bool]) -> None:
    async def it_does() -> bool:
        return heartbeats.living() == living

    await until(it_does)


async def test_the_living_know_each_other_and_who_is_not_fit(nats_server: NatsServer) -> None:
    url = nats_server.url
    async with replica(url, "one") as one:
        assert one.living() == {"one": True}
        async with replica(url, "two", fit=lambda: False) as two:
            for heartbeats in (one, two):
                await hears(heartbeats, {"one": True, "two": False})
        await hears(one, {"one": True})


async def test_how_far_a_clock_is_ahead_is_told_by_its_beats(nats_server: NatsServer) -> None:
    url = nats_server.url
    async with replica(url, "one") as one, replica(url, "two", now=fast) as two:
        await hears(one, {"one": True, "two": True})
        await hears(two, {"one": True, "two": True})
        # On its way a beat grows old, so a clock seems to be less ahead than it is.
        assert 2.5 < one.leads()["two"] <= 3.0
        assert -3.5 < two.leads()["one"] <= -3.0


async def test_who_was_thrown_out_by_the_server_hears_the_others_again(
    nats_server: NatsServer,
) -> None:
    thrown_out = asyncio.Event()
    async with (
        running_proxy(nats_server.port) as proxy,
        replica(proxy.url, "one", watcher=thrown_out.set) as one,
        replica(nats_server.url, "two") as two,
    ):
        await hears(one, {"one": True, "two": True})
        proxy.say(b"-ERR 'Slow Consumer'\r\n")
        await asyncio.wait_for(thrown_out.wait(), 5)
        async with replica(nats_server.url, "three"):
            await hears(one, dict.fromkeys(("one", "two", "three"), True))
            await hears(two, one.living())
            assert one.leads().keys() == {"two", "three"}
