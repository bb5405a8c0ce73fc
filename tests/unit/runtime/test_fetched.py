"""What was fetched is joined into transactions: large ones while far behind, at once else."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from moot.contracts.ids import Position
from moot.contracts.operations import ProjectionPaused
from moot.runtime.chronicle import Stored
from moot.runtime.fetched import Fetched, Span, first_part, gathered, together
from moot.runtime.projection_operations import Operation
from moot.runtime.set_aside import Item
from tests.support.waiting import turn_of_others

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PAUSED = Operation(
    Position(4),
    ProjectionPaused(
        projection="debates_v1", reason="looking", paused_by="admin:key", paused_at=NOON
    ),
)
LONG = 60.0
AT_ONCE = 0.01


def fetched(first: int, last: int, head: int) -> Fetched:
    items = [
        Item(Stored(position, "chronicle.topic.a", str(position), b"", NOON), None)
        for position in range(first, last + 1)
    ]
    return Fetched(Span([item.stored for item in items], items), head, NOON)


def queue(*waiting: Fetched | Exception) -> asyncio.Queue[Fetched | Exception]:
    made = asyncio.Queue[Fetched | Exception]()
    for each in waiting:
        made.put_nowait(each)
    return made


def positions(found: Fetched | None) -> list[int]:
    assert found is not None
    return [item.stored.position for item in found.span.items]


async def test_what_is_there_is_joined_with_the_last_head() -> None:
    found = await together(queue(fetched(1, 2, 2), fetched(3, 3, 3)), 10, LONG)
    assert positions(found) == [1, 2, 3]
    assert found == fetched(1, 3, 3)


async def test_one_event_alone_at_the_head_is_not_kept_waiting() -> None:
    assert positions(await together(queue(fetched(9, 9, 9)), 10, LONG)) == [9]


async def test_far_behind_it_waits_until_a_transaction_is_full() -> None:
    waiting = asyncio.Queue[Fetched | Exception](1)
    joining = asyncio.create_task(together(waiting, 5, LONG))
    for first in (1, 3, 5):
        await waiting.put(fetched(first, first + 1, 100))
    assert positions(await joining) == [1, 2, 3, 4, 5, 6]


async def test_what_has_come_when_time_is_up_is_kept() -> None:
    waiting = queue(fetched(1, 2, 100))
    assert positions(await together(waiting, 5, AT_ONCE)) == [1, 2]


async def test_nothing_may_come() -> None:
    assert await together(queue(), 5, AT_ONCE) is None


async def test_a_failure_is_raised_where_it_is_waited_for() -> None:
    with pytest.raises(ConnectionError):
        await together(queue(fetched(1, 1, 1), ConnectionError()), 5, LONG)


def never(_: Item) -> bool:
    return False


def from_third(item: Item) -> bool:
    return item.stored.position >= 3


async def test_what_is_urgent_is_not_kept_waiting() -> None:
    later = time.monotonic() + LONG
    found = await gathered(queue(fetched(3, 3, 3)), 10, LONG, from_third, later)
    assert positions(found) == [3]


async def test_what_is_not_urgent_waits_for_something_that_is() -> None:
    waiting = queue(fetched(1, 1, 1))
    later = time.monotonic() + LONG
    gathering = asyncio.create_task(gathered(waiting, 10, LONG, from_third, later))
    while not waiting.empty():
        await turn_of_others()
    for position in (2, 3, 4):
        await turn_of_others()
        waiting.put_nowait(fetched(position, position, position))
    assert positions(await gathering)[:3] == [1, 2, 3]


async def test_what_is_not_urgent_waits_no_longer_than_it_may() -> None:
    soon = time.monotonic() + AT_ONCE
    assert positions(await gathered(queue(fetched(1, 2, 2)), 10, LONG, never, soon)) == [1, 2]
    assert time.monotonic() >= soon
    assert positions(await gathered(queue(fetched(1, 2, 2)), 10, LONG, never, soon)) == [1, 2]


async def test_what_is_not_urgent_waits_for_no_more_than_fits() -> None:
    later = time.monotonic() + LONG
    assert positions(await gathered(queue(fetched(1, 5, 5)), 5, LONG, never, later)) == [
        *range(1, 6)
    ]


def test_a_span_is_split_at_a_position_whether_or_not_anything_there_matters() -> None:
    stored, items = fetched(1, 4, 4).span
    span = Span(stored, [items[0], items[3]])
    assert span.split(2) == (Span(stored[:2], items[:1]), Span(stored[2:], items[3:]))
    assert span.split(0) == (Span([], []), span)
    assert span.split(4) == (span, Span([], []))


def test_parts_are_cut_by_events_and_each_operation_is_its_own() -> None:
    stored, items = fetched(1, 8, 8).span
    asked = items[3]._replace(operation=PAUSED)
    left = Span(stored, [items[0], asked, items[7]])
    found: list[Span] = []
    while left.stored:
        part, left = first_part(left, 2)
        found.append(part)
    assert [[each.position for each in part.stored] for part in found] == [
        [1, 2],
        [3],
        [4],
        [5, 6],
        [7, 8],
    ]
    assert [list(part.items) for part in found] == [[items[0]], [], [asked], [], [items[7]]]
