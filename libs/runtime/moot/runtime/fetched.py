"""What was fetched of the Chronicle, and waits to be applied."""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self

from moot.runtime.chronicle import Stored
from moot.runtime.set_aside import Item


class Span(NamedTuple):
    """Everything `stored` from one position to another, and the `items` among it that matter.

    Most events are none of a projection's business: they cost it no more than their place here.
    """

    stored: Sequence[Stored]
    items: Sequence[Item]

    def split(self, position: int) -> tuple[Self, Self]:
        """Return what is up to `position`, and what is after it."""
        events = bisect_right(self.stored, position, key=_position_of)
        items = bisect_right(self.items, position, key=_position_of_item)
        before = type(self)(self.stored[:events], self.items[:items])
        return before, type(self)(self.stored[events:], self.items[items:])


@dataclass(frozen=True, slots=True)
class Fetched:
    """`created_at`: of the Chronicle that it was read from."""

    span: Span
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
    stored, items = list(last.span.stored), list(last.span.items)
    head, created_at = last.head, last.created_at
    while not fetched.empty() or _is_far_behind(stored, most, head):
        last = await _next(fetched, until)
        if last is None:
            break
        stored += last.span.stored
        items += last.span.items
        head, created_at = last.head, last.created_at
    return Fetched(Span(stored, items), head, created_at)


async def gathered(
    fetched: asyncio.Queue[Fetched | Exception],
    most: int,
    seconds: float,
    is_urgent: Callable[[Item], bool],
    at_leisure: float,
) -> Fetched | None:
    """As `together`; while nothing is urgent wait for more until `at_leisure`, a monotonic time."""
    found = last = await together(fetched, most, seconds)
    while (
        found
        and last
        and 0 < len(found.span.stored) < most
        and not any(map(is_urgent, last.span.items))
    ):
        left = at_leisure - time.monotonic()
        room = most - len(found.span.stored)
        last = await together(fetched, room, left) if left > 0 else None
        if last is not None:
            joined = Span(
                [*found.span.stored, *last.span.stored], [*found.span.items, *last.span.items]
            )
            found = Fetched(joined, last.head, last.created_at)
    return found


def _is_far_behind(stored: Sequence[Stored], most: int, head: int) -> bool:
    return 0 < len(stored) < most < head - stored[-1].position


async def _next(fetched: asyncio.Queue[Fetched | Exception], until: float) -> Fetched | None:
    try:
        async with asyncio.timeout_at(until):
            found = await fetched.get()
    except TimeoutError:
        return None
    if isinstance(found, Exception):
        raise found
    return found


def first_part(span: Span, most: int) -> tuple[Span, Span]:
    """Return what comes first, at most `most` events or one operation by itself, and the rest."""
    first, last = span.stored[0].position, span.stored[:most][-1].position
    for item in span.items:
        if item.stored.position > last:
            break
        if item.operation is not None:
            return span.split(max(first, item.stored.position - 1))
    return span.split(last)


def _position_of(stored: Stored) -> int:
    return stored.position


def _position_of_item(item: Item) -> int:
    return item.stored.position
