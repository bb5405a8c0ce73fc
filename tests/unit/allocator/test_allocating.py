"""The allocator's reactions: commit once, draw what was committed to, and never another draw."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from moot.allocator.allocating import Allocating, AllocationRefusedError
from moot.contracts.debates import ADMIN
from moot.contracts.envelope import Recorded
from moot.contracts.ids import TopicId
from moot.contracts.topic_commands import CancelTopic, CloseSignup, OpenSignup
from moot.runtime.clock import utc_now
from moot.runtime.dispatch import Dispatcher
from moot.runtime.memory import InMemoryChronicle
from tests.support.debates import Debates, schedule
from tests.support.topics import TICKER


@dataclass
class Drawing:
    debates: Debates = field(default_factory=lambda: Debates.on(InMemoryChronicle()))

    def allocator(self, draw_key: bytes = b"one key") -> Allocating:
        dispatcher = Dispatcher(self.debates.chronicle, source="moot/allocator", now=utc_now)
        return Allocating(dispatcher, draw_key)

    async def opened(self) -> TopicId:
        times = schedule(utc_now() - timedelta(hours=2), 3600, 7200, 3600)
        topic_id = await self.debates.propose(times)
        await self.debates.ask(topic_id, OpenSignup(by=TICKER))
        return topic_id

    async def closed(self, topic_id: TopicId) -> Recorded:
        await self.debates.ask(topic_id, CloseSignup(by=TICKER))
        return await self.last(topic_id)

    async def last(self, topic_id: TopicId) -> Recorded:
        return (await self.debates.events(topic_id))[-1]


@pytest.fixture
def drawing() -> Drawing:
    return Drawing()


async def test_reacting_again_changes_nothing(drawing: Drawing) -> None:
    topic_id = await drawing.opened()
    opened = await drawing.last(topic_id)
    assert await drawing.allocator().react(opened) == "done"
    assert await drawing.allocator().react(opened) == "obeyed"
    closed = await drawing.closed(topic_id)
    assert await drawing.allocator().react(closed) == "done"
    walked = await drawing.debates.types(topic_id)
    await drawing.allocator().react(closed)
    assert await drawing.debates.types(topic_id) == walked
    assert walked[-3:] == ["draw_committed", "signup_closed", "topic_cancelled"]


async def test_a_commitment_that_was_missed_is_made_before_the_draw(drawing: Drawing) -> None:
    topic_id = await drawing.opened()
    closed = await drawing.closed(topic_id)
    assert await drawing.allocator().react(closed) == "commitment done, draw done"


async def test_another_key_than_the_committed_one_draws_nothing_and_alarms(
    drawing: Drawing,
) -> None:
    topic_id = await drawing.opened()
    await drawing.allocator().react(await drawing.last(topic_id))
    closed = await drawing.closed(topic_id)
    with pytest.raises(AllocationRefusedError, match="draw-already-committed"):
        await drawing.allocator(b"another key").react(closed)
    assert (await drawing.debates.types(topic_id))[-1] == "signup_closed"


async def test_a_topic_that_was_cancelled_meanwhile_is_left_alone(drawing: Drawing) -> None:
    topic_id = await drawing.opened()
    opened = await drawing.last(topic_id)
    await drawing.debates.ask(topic_id, CancelTopic(by=ADMIN, reason="spam"))
    assert await drawing.allocator().react(opened) == "not-allocating"


async def test_other_events_are_none_of_its_business(drawing: Drawing) -> None:
    topic_id = await drawing.opened()
    created = (await drawing.debates.events(topic_id))[0]
    assert await drawing.allocator().react(created) is None
