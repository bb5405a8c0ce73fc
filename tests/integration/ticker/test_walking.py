"""Topics go where the ticker and the allocator take them, on a real NATS."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import get_args

import pytest

from moot.allocator.app import build as build_allocator
from moot.allocator.settings import AllocatorSettings
from moot.cli.local.nats_server import NatsServer
from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import (
    DebateEnded,
    DebateStarted,
    RoundOpened,
    SignupClosed,
    SignupOpened,
    TopicCancelled,
)
from moot.domain.deadlines import Deadline
from moot.runtime.clock import utc_now
from moot.ticker.app import build as build_ticker
from moot.ticker.firing import deadline_key
from moot.ticker.ranks import rank
from moot.ticker.settings import TickerSettings
from tests.support.debates import Debates, schedule
from tests.support.hosted import Hosted, hosted
from tests.support.waiting import ATTEMPTS

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
DRAW_KEY = "a draw key of some length, made up"
WHOLE_LIFE = [
    "topic_created",
    "signup_opened",
    "draw_committed",
    "signed_up",
    "signed_up",
    "signed_up",
    "signup_closed",
    "camps_allocated",
    "debate_started",
    "round_opened",
    "debate_ended",
]


Fired = SignupOpened | SignupClosed | DebateStarted | RoundOpened | DebateEnded
FIRED = get_args(Fired)


ON_TIME = timedelta(milliseconds=100)


def lateness(recorded: Recorded) -> timedelta:
    event = recorded.event
    assert isinstance(event, Fired)
    assert event.due_at <= event.fired_at
    return recorded.stored_at - event.due_at


def ticker_settings(nats_url: str, replica: str, database_url: str = NOWHERE) -> TickerSettings:
    return TickerSettings(nats_url=nats_url, database_url=database_url, replica=replica)


@asynccontextmanager
async def tickers(nats_url: str, *replicas: str) -> AsyncGenerator[dict[str, Hosted]]:
    async with AsyncExitStack() as stack:
        running = {
            replica: await stack.enter_async_context(
                hosted(build_ticker, ticker_settings(nats_url, replica))
            )
            for replica in replicas
        }
        yield running


@asynccontextmanager
async def allocators(nats_url: str, count: int) -> AsyncGenerator[None]:
    async with AsyncExitStack() as stack:
        for number in range(count):
            settings = AllocatorSettings.model_validate(
                {"nats_url": nats_url, "replica": f"a{number}", "draw_key": DRAW_KEY}
            )
            await stack.enter_async_context(hosted(build_allocator, settings))
        yield


@pytest.mark.alone
async def test_a_topic_walks_to_judging_on_time_whatever_the_replicas(
    nats_url: str, debates: Debates
) -> None:
    latest: list[timedelta] = []
    async with tickers(nats_url, "t1", "t2"), allocators(nats_url, 2):
        while len(latest) < ATTEMPTS and ON_TIME not in latest:
            times = schedule(utc_now() + timedelta(seconds=0.3), 0.5, 0.3, 0.6)
            topic_id = await debates.propose(times, rounds=2)
            await debates.reaches(topic_id, "draw_committed")
            await debates.sign_up(topic_id, "ann", "bob", "cyd")
            await debates.reaches(topic_id, "debate_ended")

            assert await debates.types(topic_id) == WHOLE_LIFE
            fired = [r for r in await debates.events(topic_id) if isinstance(r.event, FIRED)]
            assert len(fired) == 5
            latest.append(max(ON_TIME, *(lateness(recorded) for recorded in fired)))
    assert ON_TIME in latest, latest


async def test_a_topic_that_nobody_signed_up_to_is_cancelled_with_what_was_missing(
    nats_url: str, debates: Debates
) -> None:
    async with tickers(nats_url, "t1"), allocators(nats_url, 1):
        times = schedule(utc_now() + timedelta(seconds=0.1), 0.1, 0.1, 0.1)
        topic_id = await debates.propose(times)
        await debates.reaches(topic_id, "topic_cancelled")

    cancelled = (await debates.events(topic_id))[-1].event
    assert isinstance(cancelled, TopicCancelled)
    assert "0 of 3 camps" in cancelled.reason


async def test_what_was_due_while_no_ticker_ran_happens_at_once_one_event_at_a_time(
    nats_url: str, debates: Debates
) -> None:
    times = schedule(utc_now() - timedelta(hours=4), 3600, 3600, 3600)
    topic_id = await debates.propose(times)
    async with tickers(nats_url, "t1"), allocators(nats_url, 1):
        await debates.reaches(topic_id, "topic_cancelled")

    walked = await debates.types(topic_id)
    assert walked[:2] == ["topic_created", "signup_opened"]
    assert sorted(walked[2:4]) == ["draw_committed", "signup_closed"]
    assert walked[-1] == "topic_cancelled"


async def test_when_the_ticker_that_comes_first_is_killed_the_next_one_fires(
    nats_url: str, debates: Debates
) -> None:
    async with tickers(nats_url, "t1", "t2") as running:
        times = schedule(utc_now() + timedelta(seconds=0.8), 60, 60, 60)
        topic_id = await debates.propose(times)
        deadline = Deadline(times.signup_open_at, "open_signup")
        key = deadline_key(StreamName("topic", topic_id), deadline)
        first = "t1" if rank("t1", {"t1": True, "t2": True}, key) == 0 else "t2"
        running[first].kill()
        await debates.reaches(topic_id, "signup_opened")
    assert lateness((await debates.events(topic_id))[-1]) < timedelta(seconds=2)


async def test_a_restart_of_nats_delays_nothing_for_good(
    nats_url: str, nats_server: NatsServer, debates: Debates
) -> None:
    async with tickers(nats_url, "t1"), allocators(nats_url, 1):
        topic_id = await debates.propose(schedule(utc_now() + timedelta(seconds=0.5), 1, 1, 1))
        await nats_server.kill()
        await nats_server.start()
        await debates.reaches(topic_id, "topic_cancelled")
    assert (await debates.types(topic_id)).count("signup_opened") == 1
