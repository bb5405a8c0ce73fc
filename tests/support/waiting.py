"""Waiting for a condition, with a deadline: what tests do instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

LOOK_EVERY = 0.01  # seconds
PRESSURE = Path("/proc/pressure/cpu")
ATTEMPTS = 3
"""Of tests that are `alone`: a machine may stand still for a moment, but what is late by its own
fault is late in all of them."""

FoundT = TypeVar("FoundT")


async def until(condition: Callable[[], Awaitable[bool]], *, within: float = 15.0) -> None:
    """Return as soon as `condition` holds; TimeoutError after `within` seconds of `stopwatch`.

    For what no event of this process tells: another process's state, a row, a port.
    """
    seconds = stopwatch()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(within) as limit:
        while not await condition():
            await asyncio.sleep(LOOK_EVERY)
            limit.reschedule(loop.time() + within - seconds())


async def in_time(work: Coroutine[Any, Any, FoundT], *, within: float) -> FoundT:
    """What `work` gives; TimeoutError after `within` seconds of `stopwatch`."""
    working = asyncio.create_task(work)

    async def is_done() -> bool:
        return working.done()

    try:
        await until(is_done, within=within)
    finally:
        working.cancel()
    return await working


def stopwatch() -> Callable[[], float]:
    """Tell the seconds from now on in which nobody on this machine had to wait for a CPU.

    What a busy machine does late isn't late. Where Linux doesn't say who waits, all seconds count.
    """
    began, waited = time.monotonic(), waited_for_cpus()
    return lambda: time.monotonic() - began - (waited_for_cpus() - waited)


def waited_for_cpus() -> float:
    """For how many seconds since the machine's start somebody has waited for a CPU.

    0 where Linux doesn't say, by its pressure stall information.
    """
    try:
        told = PRESSURE.read_text()
    except OSError:
        return 0.0
    some = told.partition("\n")[0]
    return int(some.rpartition("total=")[2]) / 1e6


async def turn_of_others() -> None:
    """Let everything else that can go on now do so once: what a real server's answer takes."""
    await asyncio.sleep(0)


async def until_moment(at: datetime) -> None:
    """Return at `at`, by the wall clock that the services go by; at once when that has passed."""
    await asyncio.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds()))
