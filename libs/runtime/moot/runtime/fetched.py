"""What was fetched of the Chronicle, and waits to be applied."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from moot.runtime.set_aside import Item


@dataclass(frozen=True, slots=True)
class Fetched:
    """`created_at`: of the Chronicle that it was read from."""

    items: list[Item]
    head: int
    created_at: datetime | None


async def together(
    fetched: asyncio.Queue[Fetched | Exception], most: int, seconds: float
) -> Fetched | None:
    """Join everything that is there already; None when nothing has come within `seconds`.

    As long as more than `most` events are known to come, wait until there are as many.
    """
    until = asyncio.get_running_loop().time() + seconds
    last = await _next(fetched, until)
    if last is None:
        return None
    items, head, created_at = list(last.items), last.head, last.created_at
    while not fetched.empty() or _is_far_behind(items, most, head):
        last = await _next(fetched, until)
        if last is None:
            break
        items += last.items
        head, created_at = last.head, last.created_at
    return Fetched(items, head, created_at)


async def gathered(
    fetched: asyncio.Queue[Fetched | Exception],
    most: int,
    seconds: float,
    is_urgent: Callable[[Item], bool],
    at_leisure: float,
) -> Fetched | None:
    """As `together`; while nothing is urgent wait for more until `at_leisure`, a monotonic time."""
    found = last = await together(fetched, most, seconds)
    while found and last and 0 < len(found.items) < most and not any(map(is_urgent, last.items)):
        left = at_leisure - time.monotonic()
        last = await together(fetched, most - len(found.items), left) if left > 0 else None
        if last is not None:
            found = Fetched([*found.items, *last.items], last.head, last.created_at)
    return found


def _is_far_behind(items: Sequence[Item], most: int, head: int) -> bool:
    return 0 < len(items) < most < head - items[-1].stored.position


async def _next(fetched: asyncio.Queue[Fetched | Exception], until: float) -> Fetched | None:
    try:
        async with asyncio.timeout_at(until):
            found = await fetched.get()
    except TimeoutError:
        return None
    if isinstance(found, Exception):
        raise found
    return found


def up_to(position: int, items: list[Item]) -> list[Item]:
    if not items or items[-1].stored.position <= position:
        return items
    return [item for item in items if item.stored.position <= position]


def parts(items: Sequence[Item], most: int) -> Iterator[Sequence[Item]]:
    """Cut into parts of at most `most`, each operation a part of its own."""
    start = 0
    for end, item in enumerate(items):
        if item.operation is not None:
            yield from _parts_without(items[start:end], most)
            yield [item]
            start = end + 1
    yield from _parts_without(items[start:], most)


def _parts_without(items: Sequence[Item], most: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + most] for start in range(0, len(items), most))
