"""Who reads at the same place shares; who can't keep up reads alone, and misses nothing."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from moot.contracts.envelope import Recorded
from moot.contracts.ids import Position
from moot.contracts.subjects import Category, StreamName
from moot.contracts.topic_events import SignupOpened
from moot.runtime.chronicle import Batch, Message
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.shared_following import (
    BUSY_EVENTS_PER_SECOND,
    KEPT_EVENTS,
    Pace,
    SharedFollowing,
)
from tests.support.recording import envelope
from tests.support.topics import NOON
from tests.support.waiting import turn_of_others, until

STREAM = StreamName("topic", "0" * 32)
BATCH = KEPT_EVENTS // 4
REST_SECONDS = 0.5


class Counting(InMemoryChronicle):
    """Counts how often it is followed, and how many events it hands out."""

    def __init__(self) -> None:
        super().__init__(idle_seconds=0.05)
        self.followings = 0
        self.handed_out = 0
        self.may_close = asyncio.Event()
        self.may_close.set()

    async def follow(
        self, after: int, *, batch: int = 500, category: Category | None = None
    ) -> AsyncGenerator[Batch]:
        self.followings += 1
        async with aclosing(super().follow(after, batch=batch, category=category)) as batches:
            try:
                async for found in batches:
                    self.handed_out += len(found.events)
                    yield found
            finally:
                await self.may_close.wait()


async def filled(events: int) -> Counting:
    chronicle = Counting()
    for start in range(0, events, 1000):
        messages = [Message(f"{n}", b"{}") for n in range(start, min(start + 1000, events))]
        await chronicle.append(STREAM, start, messages)
    return chronicle


async def positions(batches: AsyncGenerator[Batch], until: int) -> list[int]:
    seen: list[int] = []
    async for batch in batches:
        seen += [event.position for event in batch.events]
        if seen and seen[-1] >= until:
            break
    return seen


@asynccontextmanager
async def one_and_other(
    shared: SharedFollowing,
) -> AsyncGenerator[tuple[AsyncGenerator[Batch], AsyncGenerator[Batch]]]:
    """Two that read from the beginning, in batches of which four are kept."""
    async with (
        aclosing(shared.follow(0, batch=BATCH)) as one,
        aclosing(shared.follow(0, batch=BATCH)) as other,
    ):
        yield one, other


async def caught_up(batches: AsyncGenerator[Batch]) -> Batch:
    return await anext(batch async for batch in batches if not batch.events)


async def test_what_several_read_is_fetched_once() -> None:
    chronicle = await filled(2 * BATCH)
    shared = SharedFollowing(chronicle)

    async with AsyncExitStack() as stack:
        for after in (0, 0, 5, BATCH):
            batches = await stack.enter_async_context(aclosing(shared.follow(after, batch=BATCH)))
            seen = await positions(batches, 2 * BATCH)
            assert seen == list(range(after + 1, 2 * BATCH + 1))

    assert chronicle.followings == 1
    assert chronicle.handed_out == 2 * BATCH


async def came_while_at_ease(events: int, *, size: int) -> list[Batch]:
    """What somebody at ease is given of events that came one by one, in batches of at most `size`.

    The first of them alone; who isn't at ease has seen, and decoded, each.
    """
    shared = SharedFollowing(chronicle := await filled(1))
    eager = shared.follow(0, batch=size)
    at_ease = shared.at_ease(REST_SECONDS).follow(0, batch=size)
    async with aclosing(eager), aclosing(at_ease):
        rested_at = time.monotonic() + REST_SECONDS
        given = [await anext(at_ease)]
        await positions(eager, 1)
        resting = asyncio.create_task(anext(at_ease))
        for position in range(2, events + 1):
            await chronicle.append(STREAM, position - 1, [Message(f"{position}", b"{}")])
            while not (seen := await anext(eager)).events:
                pass
            assert [event.position for event in seen.events] == [position]
            seen.decoded[position] = decoded_at(position)
        given.append(await resting)
        assert time.monotonic() >= rested_at
        while given[-1].events[-1].position < events:
            given.append(await anext(at_ease))
    assert chronicle.followings == 1
    return given


def decoded_at(position: int) -> Recorded:
    event = SignupOpened(due_at=NOON, fired_at=NOON)
    return Recorded(Position(position), NOON, envelope(STREAM, event, position))


def positions_of(batches: Sequence[Batch]) -> list[list[int]]:
    return [[event.position for event in batch.events] for batch in batches]


async def test_who_is_at_ease_is_given_all_that_came_together_once_it_has_rested() -> None:
    given = await came_while_at_ease(5, size=BATCH)
    assert positions_of(given) == [[1], [2, 3, 4, 5]]
    assert given[1].head == 5
    assert given[1].decoded == {position: decoded_at(position) for position in range(2, 6)}


async def test_nobody_at_ease_is_given_more_than_asked_for() -> None:
    given = await came_while_at_ease(8, size=3)
    assert positions_of(given) == [[1], [2, 3, 4], [5, 6, 7], [8]]


async def test_who_is_at_ease_sees_at_once_what_comes_alone() -> None:
    shared = SharedFollowing(chronicle := await filled(0))
    async with aclosing(shared.at_ease(60.0).follow(0)) as batches, asyncio.timeout(10.0):
        await caught_up(batches)
        await chronicle.append(STREAM, 0, [Message("alone", b"{}")])
        assert await positions(batches, 1) == [1]


async def test_who_is_held_up_is_given_what_came_meanwhile_together() -> None:
    shared = SharedFollowing(chronicle := await filled(1))
    async with aclosing(shared.follow(0)) as quick, aclosing(shared.follow(0)) as held_up:
        given = [await anext(held_up)]
        await positions(quick, 1)
        for position in range(2, 5):
            await chronicle.append(STREAM, position - 1, [Message(f"{position}", b"{}")])
            assert await positions(quick, position) == [position]
        given.append(await anext(held_up))
    assert positions_of(given) == [[1], [2, 3, 4]]


async def test_what_is_decoded_of_a_batch_is_known_to_all() -> None:
    shared = SharedFollowing(await filled(1))

    async with aclosing(shared.follow(0)) as one, aclosing(shared.follow(0)) as other:
        first, second = await anext(one), await anext(other)

    assert first.decoded is second.decoded


async def test_everyone_is_told_of_having_caught_up_and_of_what_comes_then() -> None:
    chronicle = await filled(3)
    shared = SharedFollowing(chronicle)

    async with aclosing(shared.follow(0)) as one:
        await positions(one, 3)
        assert (await caught_up(one)).head == 3
        async with aclosing(shared.follow(3)) as late:
            assert (await caught_up(late)).head == 3
            await chronicle.append(STREAM, 3, [Message("new", b"{}")])
            assert await positions(one, 4) == [4]
            assert await positions(late, 4) == [4]

    assert chronicle.followings == 1


async def test_a_slow_reader_holds_nobody_up_for_long_and_misses_nothing() -> None:
    end = 8 * BATCH
    chronicle = await filled(end)
    shared = SharedFollowing(chronicle, patience=0.01)

    async with one_and_other(shared) as (slow, fast):
        begun = positions_of([await anext(slow)])[0]
        assert await positions(fast, end) == list(range(1, end + 1))
        assert begun + await positions(slow, end) == list(range(1, end + 1))

        assert chronicle.followings == 2
        handed_out = chronicle.handed_out
        await chronicle.append(STREAM, end, [Message("new", b"{}")])
        assert await positions(fast, end + 1) == [end + 1]
        assert await positions(slow, end + 1) == [end + 1]

    assert chronicle.handed_out == handed_out + 1, "they have met again"


async def test_who_meets_others_has_a_place_there_while_it_leaves_its_own_reading() -> None:
    end = 8 * BATCH
    chronicle = await filled(end)
    shared = SharedFollowing(chronicle, patience=0.0)

    async with one_and_other(shared) as (slow, fast):
        begun = positions_of([await anext(slow)])[0]
        await positions(fast, end)
        chronicle.may_close.clear()
        going_on = asyncio.create_task(positions(slow, end))
        await caught_up(fast)
        chronicle.may_close.set()
        assert begun + await going_on == list(range(1, end + 1))

    assert chronicle.followings == 2


async def test_nobody_is_left_behind_who_holds_up_none() -> None:
    end = 8 * BATCH
    chronicle = await filled(end)
    shared = SharedFollowing(chronicle, patience=0.0)

    async def is_full() -> bool:
        return chronicle.handed_out == BATCH + KEPT_EVENTS + BATCH  # of which one has to wait

    async with one_and_other(shared) as (one, other):
        begun = positions_of([await anext(one)])[0]
        assert positions_of([await anext(other)]) == [begun]
        await until(is_full)
        for _ in range(100):
            await turn_of_others()
        assert await is_full()
        assert begun + await positions(one, end) == list(range(1, end + 1))

    assert chronicle.followings == 1


async def test_nobody_is_left_behind_for_news_that_there_is_nothing_new() -> None:
    end = KEPT_EVENTS + BATCH
    chronicle = await filled(end)
    shared = SharedFollowing(chronicle, patience=0.0)

    async with one_and_other(shared) as (slow, fast):
        begun = positions_of([await anext(slow)])[0]
        assert await positions(fast, end) == list(range(1, end + 1))
        await caught_up(fast)
        assert begun + await positions(slow, end) == list(range(1, end + 1))

    assert chronicle.followings == 1


async def test_reading_ends_with_its_last_reader() -> None:
    chronicle = await filled(1)
    shared = SharedFollowing(chronicle)

    for _ in range(2):
        async with aclosing(shared.follow(0)) as batches:
            assert await positions(batches, 1) == [1]

    assert chronicle.followings == 2


def busy_after(events: int, per_second: float) -> bool:
    pace = Pace()
    for number in range(events):
        pace.came(1, number / per_second)
    return pace.is_busy


def test_it_pays_to_wait_for_more_only_while_many_come() -> None:
    assert busy_after(1000, BUSY_EVENTS_PER_SECOND * 1.2)
    assert not busy_after(1000, BUSY_EVENTS_PER_SECOND * 0.8)
    assert not busy_after(1, BUSY_EVENTS_PER_SECOND)


def test_it_is_busy_no_longer_when_what_came_is_long_ago() -> None:
    pace = Pace()
    pace.came(1000, 0.0)
    assert pace.is_busy
    pace.came(1, 1.0)
    assert not pace.is_busy
