"""One of two allocators is killed, stopped or cut off: every draw comes once, and soon."""

import asyncio
from datetime import datetime, timedelta

import pytest

from moot.cli.local.nats_server import NatsServer
from moot.contracts.ids import TopicId
from moot.runtime.clock import utc_now
from tests.support.debates import Debates, schedule
from tests.support.service_process import Fault, cut_off, killed, service_process, stopped
from tests.support.tcp_proxy import running_proxy
from tests.support.ticking import ticker_process
from tests.support.waiting import until_moment

DRAW_KEY = {"MOOT_DRAW_KEY": "a draw key of some length, made up"}
COUNT = 24
GAP = timedelta(milliseconds=50)
SIGNING_UP = timedelta(milliseconds=170)
LATEST = timedelta(seconds=3)


async def signed_up_to(debates: Debates, closes: datetime) -> TopicId:
    """A topic whose sign-up closes then."""
    opens = utc_now()
    times = schedule(opens, (closes - opens).total_seconds(), 3600, 60)
    topic_id = await debates.propose(times)
    await debates.reaches(topic_id, "draw_committed")
    await debates.sign_up(topic_id, "ann", "bob", "cyd")
    return topic_id


async def waited_for_its_draw(debates: Debates, topic_id: TopicId) -> timedelta:
    await debates.reaches(topic_id, "camps_allocated", within=30)
    events = {one.event.type.split(".")[2]: one for one in await debates.events(topic_id)}
    types = await debates.types(topic_id)
    assert types.count("camps_allocated") == types.count("draw_committed") == 1
    return events["camps_allocated"].stored_at - events["signup_closed"].stored_at


async def go_through(
    debates: Debates, nats: NatsServer, fault: Fault, count: int
) -> list[timedelta]:
    """Return how long each topic waited for its draw, with the fault amid them."""
    async with (
        running_proxy(nats.port) as proxy,
        ticker_process(nats.url, "t1"),
        service_process("moot.allocator", proxy.url, "a1", DRAW_KEY) as victim,
        service_process("moot.allocator", nats.url, "a2", DRAW_KEY),
    ):
        first = utc_now() + count * SIGNING_UP
        signing_up = (signed_up_to(debates, first + number * GAP) for number in range(count))
        topics = await asyncio.gather(*signing_up)
        await until_moment(first + count * GAP / 4)
        fault(victim, proxy)
        return [await waited_for_its_draw(debates, topic_id) for topic_id in topics]


FAULTS: list[Fault] = [killed, stopped, cut_off]


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_one_leaves_is_drawn_once_and_within_three_seconds(
    nats_url: str, nats_server: NatsServer, debates: Debates, fault: Fault
) -> None:
    assert nats_url == nats_server.url
    assert max(await go_through(debates, nats_server, fault, COUNT)) < LATEST


@pytest.mark.hard
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", FAULTS)
async def test_many_times_over(
    nats_url: str, nats_server: NatsServer, debates: Debates, fault: Fault
) -> None:
    assert nats_url == nats_server.url
    for _ in range(5):
        assert max(await go_through(debates, nats_server, fault, 4 * COUNT)) < LATEST
