"""Something done at an even rate, whoever is slow, with how long each time took."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager


@asynccontextmanager
async def at_rate(
    per_second: float, work: Callable[[], Awaitable[None]]
) -> AsyncGenerator[list[float]]:
    """Begin `work` so often as long as this lasts; what fails, fails here.

    The seconds are counted from when each was due, so that one that is held up shows in those that
    wait behind it.
    """
    took: list[float] = []
    loop = asyncio.get_running_loop()
    over = asyncio.Event()

    async def once(due: float) -> None:
        await work()
        took.append(loop.time() - due)

    async def pace(group: asyncio.TaskGroup) -> None:
        began = loop.time()
        for number in itertools.count():
            due = began + number / per_second
            await asyncio.sleep(max(due - loop.time(), 0))
            if over.is_set():
                return
            group.create_task(once(due))

    async with asyncio.TaskGroup() as group:
        group.create_task(pace(group))
        try:
            yield took
        finally:
            over.set()
