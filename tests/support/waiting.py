"""Waiting for a condition, with a deadline: what tests do instead of sleeping."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

LOOK_EVERY = 0.01  # seconds


async def until(condition: Callable[[], Awaitable[bool]], *, within: float = 15.0) -> None:
    """Return as soon as `condition` holds; TimeoutError after `within` seconds.

    For what no event of this process tells: another process's state, a row, a port.
    """
    async with asyncio.timeout(within):
        while not await condition():  # noqa: ASYNC110 nobody here could set an Event
            await asyncio.sleep(LOOK_EVERY)


async def turn_of_others() -> None:
    """Let everything else that can go on now do so once: what a real server's answer takes."""
    await asyncio.sleep(0)


async def until_moment(at: datetime) -> None:
    """Return at `at`, by the wall clock that the services go by; at once when that has passed."""
    await asyncio.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds()))
