"""The first of two tickers is killed, stopped or cut off: what is due comes once, and soon."""

import asyncio
import signal
from datetime import datetime, timedelta

import pytest

from moot.cli.local.nats_server import NatsServer
from moot.contracts.ids import TopicId
from moot.contracts.topic_events import SignupOpened
from moot.runtime.clock import utc_now
from tests.support.debates import Debates, schedule
from tests.support.service_process import (
    Fault,
    cut_off,
    goes_on,
    killed,
    losing_answers,
    reached_again,
    stopped,
)
from tests.support.tcp_proxy import running_proxy
from tests.support.ticking import firings, ticker_process
from tests.support.waiting import until_moment

LATEST = timedelta(seconds=2)
GAP = timedelta(milliseconds=50)
COUNT = 24

FAULTS: list[tuple[Fault, Fault | None]] = [
    (killed, None),
    (stopped, goes_on),
    (cut_off, reached_again),
    (losing_answers, None),
]


async def proposed(debates: Debates, count: int, first: datetime) -> list[TopicId]:
    return [
        await debates.propose(schedule(first + number * GAP, 7200, 60, 60))
        for number in range(count)
    ]


async def lateness(debates: Debates, topic_id: TopicId) -> timedelta:
    """Return how late its sign-up opened, which it did once."""
    await debates.reaches(topic_id, "signup_opened", within=30)
    assert await debates.types(topic_id) == ["topic_created", "signup_opened"]
    opened = (await debates.events(topic_id))[-1]
    assert isinstance(opened.event, SignupOpened)
    assert opened.event.due_at <= opened.event.fired_at <= opened.stored_at
    return opened.stored_at - opened.event.due_at


async def go_through(
    debates: Debates, nats: NatsServer, fault: Fault, recovery: Fault | None, count: int
) -> list[timedelta]:
    """Return how late each deadline came, with the fault amid them."""
    async with (
        running_proxy(nats.port) as proxy,
        ticker_process(proxy.url, "t1") as victim,
        ticker_process(nats.url, "t2") as other,
    ):
        first = utc_now() + timedelta(seconds=1.5)
        topics = await proposed(debates, count, first)
        await until_moment(first + count * GAP / 4)
        fault(victim, proxy)
        late = [await lateness(debates, topic_id) for topic_id in topics]
        if recovery is not None:
            recovery(victim, proxy)
            other.send(signal.SIGKILL)
            # Once it fires again, it has tried whatever it was going to try.
            (last,) = await proposed(debates, 1, utc_now() + timedelta(seconds=2.5))
            await lateness(debates, last)
            assert (await firings(victim))["fired"] >= 1
            for topic_id in topics:
                await lateness(debates, topic_id)
        return late


@pytest.mark.parametrize(("fault", "recovery"), FAULTS)
async def test_what_the_first_one_leaves_comes_once_and_within_two_seconds(
    nats_url: str, nats_server: NatsServer, debates: Debates, fault: Fault, recovery: Fault | None
) -> None:
    assert nats_url == nats_server.url
    late = await go_through(debates, nats_server, fault, recovery, COUNT)
    assert max(late) < LATEST


@pytest.mark.hard
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("fault", "recovery"), FAULTS)
async def test_many_times_over(
    nats_url: str, nats_server: NatsServer, debates: Debates, fault: Fault, recovery: Fault | None
) -> None:
    assert nats_url == nats_server.url
    for _ in range(5):
        late = await go_through(debates, nats_server, fault, recovery, 4 * COUNT)
        assert max(late) < LATEST


async def test_three_hear_of_each_other_and_two_may_go_at_once(
    nats_url: str, debates: Debates
) -> None:
    async with (
        ticker_process(nats_url, "t1") as one,
        ticker_process(nats_url, "t2") as two,
        ticker_process(nats_url, "t3"),
    ):
        first = utc_now() + timedelta(seconds=1.5)
        topics = await proposed(debates, COUNT, first)
        await until_moment(first + COUNT * GAP / 4)
        for ticker in (one, two):
            ticker.send(signal.SIGKILL)
        late = await asyncio.gather(*(lateness(debates, topic_id) for topic_id in topics))
    assert max(late) < LATEST
