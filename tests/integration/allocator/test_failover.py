"""One of two allocators is killed, stopped or cut off: every draw comes once, and soon."""

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
LATEST = timedelta(seconds=3)


async def signed_up_to(debates: Debates, count: int, first: datetime) -> list[TopicId]:
    """Topics whose sign-up closes one after the other, from `first` on."""
    topics: list[TopicId] = []
    for number in range(count):
        opens = utc_now()
        closes = first + number * GAP
        times = schedule(opens, (closes - opens).total_seconds(), 3600, 60)
        topics.append(topic_id := await debates.propose(times))
        await debates.reaches(topic_id, "draw_committed")
        await debates.sign_up(topic_id, "ann", "bob", "cyd")
    return topics


async def waited_for_its_draw(debates: Debates, topic_id: TopicId) -> timedelta:
    await debates.reaches(topic_id, "camps_allocated", within=30)
    events = {one.event.type.split(".")[2]: one for one in await debates.events(topic_id)}
    types = await debates.types(topic_id)
    assert types.count("camps_allocated") == types.count("draw_committed") == 1
    return events["camps_allocated"].stored_at - events["signup_closed"].stored_at


@pytest.mark.parametrize("fault", [killed, stopped, cut_off])
async def test_what_one_leaves_is_drawn_once_and_within_three_seconds(
    nats_url: str, nats_server: NatsServer, debates: Debates, fault: Fault
) -> None:
    async with (
        running_proxy(nats_server.port) as proxy,
        ticker_process(nats_url, "t1"),
        service_process("moot.allocator", proxy.url, "a1", DRAW_KEY) as victim,
        service_process("moot.allocator", nats_url, "a2", DRAW_KEY),
    ):
        first = utc_now() + timedelta(seconds=4)
        topics = await signed_up_to(debates, COUNT, first)
        await until_moment(first + COUNT * GAP / 4)
        fault(victim, proxy)
        late = [await waited_for_its_draw(debates, topic_id) for topic_id in topics]
    assert max(late) < LATEST
