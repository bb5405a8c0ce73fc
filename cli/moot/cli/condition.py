"""Waiting for something to become true, and no longer than agreed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

FoundT = TypeVar("FoundT")

LOOK_EVERY = timedelta(milliseconds=50)


class NeverHappenedError(Exception):
    """What was waited for didn't come in time."""


async def until(
    look: Callable[[], Awaitable[FoundT | None]],
    *,
    within: timedelta,
    waiting_for: str,
) -> FoundT:
    """Look until there is something to see, and return it.

    Raises NeverHappenedError when `look` still answers None after `within`.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + within.total_seconds()
    while (found := await look()) is None:
        if loop.time() >= give_up_at:
            raise NeverHappenedError(f"waited {within.total_seconds():g} s for {waiting_for}")
        await asyncio.sleep(LOOK_EVERY.total_seconds())
    return found
