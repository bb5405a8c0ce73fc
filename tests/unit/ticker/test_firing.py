"""What is fired, when the clocks are set, when much is due at once, and when something fails."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from moot.contracts.envelope import Recorded
from moot.contracts.ids import TopicId
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import SignupOpened
from moot.runtime.chronicle import ChronicleUnavailableError, Message
from moot.runtime.chronicle_clock import ChronicleClock, Told
from moot.runtime.clock import utc_now
from moot.runtime.decoding import decoded
from moot.runtime.dispatch import Dispatcher
from moot.runtime.memory import InMemoryChronicle
from moot.ticker.board import Board
from moot.ticker.feed import Feed
from moot.ticker.firing import AT_ONCE, Firing
from tests.support.debates import Debates, schedule
from tests.support.running import running
from tests.support.waiting import turn_of_others, until

HOUR = timedelta(hours=1)


class Counting(InMemoryChronicle):
    """Counts the appends under way; refuses those to `broken` streams."""

    broken: frozenset[str] = frozenset()
    under_way = most = failed = 0

    async def append(self, stream: StreamName, expected: int, messages: Sequence[Message]) -> int:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await turn_of_others()
            if stream.id in self.broken:
                self.failed += 1
                raise ChronicleUnavailableError("broken")
            return await super().append(stream, expected, messages)
        finally:
            self.under_way -= 1


@asynccontextmanager
async def nothing() -> AsyncGenerator[None]:
    yield None


@dataclass
class World:
    """A ticker and a Chronicle in memory, whose clocks are set ahead by so much."""

    own: timedelta = timedelta()
    chronicles: timedelta = timedelta()
    board: Board = field(default_factory=Board)

    def __post_init__(self) -> None:
        self.chronicle = Counting(now=self.chronicle_now, idle_seconds=0.05)
        self.clock = ChronicleClock(wall=self.wall)
        self.debates = Debates(
            self.chronicle, Dispatcher(self.chronicle, source="moot/tests", now=utc_now)
        )
        dispatcher = Dispatcher(self.chronicle, source="moot/ticker", now=self.clock.now)
        self.firing = Firing(self.board, dispatcher, replica="t1", living=dict, now=self.clock.now)
        self.feed = Feed(self.board, self.chronicle, nothing, clock=self.clock, firing=self.firing)

    def wall(self) -> datetime:
        return utc_now() + self.own

    def chronicle_now(self) -> datetime:
        return utc_now() + self.chronicles

    def ask(self) -> None:
        before = self.wall()
        asked = asyncio.get_running_loop().time()
        self.clock.tell(Told(self.chronicle_now(), asked, asked, before, self.wall()))

    @asynccontextmanager
    async def ticking(self) -> AsyncGenerator[None]:
        self.ask()
        await self.feed.load()
        async with running(self.feed.run(), self.firing.run()):
            yield

    async def proposed(self, due_in: timedelta) -> TopicId:
        """Return a topic whose sign-up opens then, by a clock that nobody has set."""
        return await self.debates.propose(schedule(utc_now() + due_in, 7200, 60, 60))

    async def looked_again(self) -> None:
        """Return when the ticker has fired what was proposed after all others."""
        behind = max(timedelta(), -self.own, -self.chronicles)
        marker = await self.proposed(-behind - timedelta(minutes=1))
        await self.debates.reaches(marker, "signup_opened")

    async def events(self) -> list[Recorded]:
        stored = [await self.chronicle.get(at + 1) for at in range(await self.chronicle.head())]
        return [decoded(event) for event in stored if event is not None]

    async def opened(self) -> list[Recorded]:
        """Return what was fired, none of it early by either clock."""
        opened: list[Recorded] = []
        for one in await self.events():
            if isinstance(one.event, SignupOpened):
                assert one.event.due_at <= one.event.fired_at <= one.stored_at
                opened.append(one)
        return opened


async def test_both_clocks_set_ahead_what_is_due_by_then_is_fired_at_once() -> None:
    world = World()
    async with world.ticking():
        topic_id = await world.proposed(HOUR)
        world.own = world.chronicles = HOUR
        world.ask()
        await world.debates.reaches(topic_id, "signup_opened", within=3)
    assert len(await world.opened()) == 1


async def test_a_clock_set_ahead_of_the_chronicles_fires_nothing_early() -> None:
    world = World()
    async with world.ticking():
        topic_id = await world.proposed(HOUR)
        world.own = 2 * HOUR
        world.ask()
        await world.looked_again()
        assert await world.debates.types(topic_id) == ["topic_created"]
        world.chronicles = 2 * HOUR
        world.ask()
        await world.debates.reaches(topic_id, "signup_opened", within=3)


async def test_a_clock_set_back_fires_nothing_before_it_is_there_again() -> None:
    world = World()
    async with world.ticking():
        world.own = world.chronicles = -HOUR
        world.ask()
        topic_id = await world.proposed(-HOUR / 2)
        await world.looked_again()
        assert await world.debates.types(topic_id) == ["topic_created"]
        world.own = world.chronicles = timedelta()
        world.ask()
        await world.debates.reaches(topic_id, "signup_opened", within=3)


async def test_thousands_at_one_instant_are_fired_once_each_in_order_and_some_at_a_time() -> None:
    world = World()
    times = schedule(utc_now() + timedelta(seconds=2), 7200, 60, 60)
    topics = sorted([await world.debates.propose(times) for _ in range(2000)])

    async def all_opened() -> bool:
        return await world.chronicle.head() >= 2 * len(topics)

    async with world.ticking():
        await until(all_opened)
        await world.looked_again()
    opened = [one.stream.id for one in await world.opened()][:-1]
    assert sorted(opened) == topics
    assert world.chronicle.most == AT_ONCE
    # In order, up to those that are under way together.
    place = {topic_id: number for number, topic_id in enumerate(topics)}
    assert all(abs(place[TopicId(one)] - number) < AT_ONCE for number, one in enumerate(opened))


async def test_what_fails_again_and_again_holds_up_nobody() -> None:
    world = World()
    broken = [await world.proposed(-HOUR) for _ in range(2 * AT_ONCE)]
    world.chronicle.broken = frozenset(broken)
    async with world.ticking():
        healthy = [await world.proposed(timedelta(seconds=0.1)) for _ in range(10)]
        for topic_id in healthy:
            await world.debates.reaches(topic_id, "signup_opened", within=5)
        assert world.chronicle.failed >= len(broken)
        world.chronicle.broken = frozenset()
        for topic_id in broken:
            await world.debates.reaches(topic_id, "signup_opened", within=10)
    opened = await world.opened()
    assert len(opened) == len(broken) + len(healthy)


async def test_the_backlog_of_an_outage_does_not_delay_what_is_due_now() -> None:
    world = World()
    overdue = [await world.proposed(-HOUR) for _ in range(1500)]

    async def all_opened() -> bool:
        return await world.chronicle.head() >= 2 * (len(overdue) + 1)

    async with world.ticking():
        await until(world.feed.caught_up.wait)
        on_time = await world.proposed(timedelta())
        await until(all_opened)
    opened = [one.stream.id for one in await world.opened()]
    assert sorted(opened) == sorted([*overdue, on_time])
    assert opened.index(on_time) < len(overdue) // 2
