"""Who reads at the same place shares; who can't keep up reads alone, and misses nothing."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

from moot.contracts.subjects import Category, StreamName
from moot.runtime.chronicle import Batch, Message
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.shared_following import (
    BUSY_EVENTS_PER_SECOND,
    KEPT_EVENTS,
    Pace,
    SharedFollowing,
)

STREAM = StreamName("topic", "0" * 32)
BATCH = KEPT_EVENTS // 4
REST_SECONDS = 0.5


class Counting(InMemoryChronicle):
    """Counts how often it is followed, and how many events it hands out."""

    def __init__(self) -> None:
        super().__init__(idle_seconds=0.05)
        self.followings = 0
        self.handed_out = 0

    async def follow(
        self, after: int, *, batch: int = 500, category: Category | None = None
    ) -> AsyncGenerator[Batch]:
        self.followings += 1
        async with aclosing(super().follow(after, batch=batch, category=category)) as batches:
            async for found in batches:
                self.handed_out += len(found.events)
                yield found


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


async def test_who_is_at_ease_finds_all_that_came_once_it_has_rested() -> None:
    shared = SharedFollowing(chronicle := await filled(1))
    eager, at_ease = shared.follow(0), shared.at_ease(REST_SECONDS).follow(0)
    async with aclosing(eager), aclosing(at_ease):
        rested_at = time.monotonic() + REST_SECONDS
        assert await positions(at_ease, 1) == [1]
        resting = asyncio.create_task(positions(at_ease, 4))
        for last in range(1, 4):
            await chronicle.append(STREAM, last, [Message(f"more-{last}", b"{}")])
            assert (await positions(eager, last + 1))[-1] == last + 1
        assert await resting == [2, 3, 4]
        assert time.monotonic() >= rested_at
    assert chronicle.followings == 1


async def test_who_is_at_ease_sees_at_once_what_comes_alone() -> None:
    shared = SharedFollowing(chronicle := await filled(0))
    async with aclosing(shared.at_ease(60.0).follow(0)) as batches, asyncio.timeout(10.0):
        await caught_up(batches)
        await chronicle.append(STREAM, 0, [Message("alone", b"{}")])
        assert await positions(batches, 1) == [1]


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

    async with (
        aclosing(shared.follow(0, batch=BATCH)) as slow,
        aclosing(shared.follow(0, batch=BATCH)) as fast,
    ):
        begun = [event.position for event in (await anext(slow)).events]
        assert await positions(fast, end) == list(range(1, end + 1))
        assert begun + await positions(slow, end) == list(range(1, end + 1))

        assert chronicle.followings == 2
        handed_out = chronicle.handed_out
        await chronicle.append(STREAM, end, [Message("new", b"{}")])
        assert await positions(fast, end + 1) == [end + 1]
        assert await positions(slow, end + 1) == [end + 1]

    assert chronicle.handed_out == handed_out + 1, "they have met again"


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
