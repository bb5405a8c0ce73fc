"""An even rate, and something done at it, whoever is slow, with how long each time took."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


async def evenly(per_second: float) -> AsyncIterator[float]:
    """Yield, for ever, the moment of the loop's clock at which each turn is due, not before it.

    Sleeping here stands for no condition: the rate is what a test gives.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in itertools.count():
        due = began + number / per_second
        await asyncio.sleep(max(due - loop.time(), 0))
        yield due


@asynccontextmanager
async def at_rate(
    per_second: float, work: Callable[[], Awaitable[None]], *, at_once: int
) -> AsyncGenerator[list[float]]:
    """Begin `work` so often as long as this lasts; what fails, fails here.

    The seconds are counted from when each was due, so that one that is held up shows in those that
    wait behind it. Beyond `at_once` of them none is due: a machine too busy for the rate keeps a
    slower one, and has no growing queue of what is long past.
    """
    took: list[float] = []
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    room = asyncio.Semaphore(at_once)

    async def once(due: float) -> None:
        await work()
        took.append(loop.time() - due)
        room.release()

    async def pace(group: asyncio.TaskGroup) -> None:
        held_up_until = 0.0
        async for due in evenly(per_second):
            if over.is_set():
                return
            if room.locked():
                await room.acquire()
                held_up_until = loop.time()
            else:
                await room.acquire()
            group.create_task(once(max(due, held_up_until)))

    async with asyncio.TaskGroup() as group:
        group.create_task(pace(group))
        try:
            yield took
        finally:
            over.set()
