"""What was fetched of the Chronicle, and waits to be applied."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from moot.runtime.set_aside import Item


@dataclass(frozen=True, slots=True)
class Fetched:
    """`created_at`: of the Chronicle that it was read from."""

    items: list[Item]
    head: int
    created_at: datetime | None


def together(first: Fetched | Exception, fetched: asyncio.Queue[Fetched | Exception]) -> Fetched:
    """Join everything that is there already, without waiting for more."""
    if isinstance(first, Exception):
        raise first
    items, last = list(first.items), first
    while not fetched.empty():
        more = fetched.get_nowait()
        if isinstance(more, Exception):
            raise more
        items += more.items
        last = more
    return Fetched(items, last.head, last.created_at)


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
