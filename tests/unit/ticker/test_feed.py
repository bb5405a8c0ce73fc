"""What the ticker makes of a Chronicle that isn't what it was."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from moot.contracts.debates import Stage
from moot.domain.deadlines import TopicTimetable
from moot.runtime.chronicle_clock import ChronicleClock
from moot.runtime.dispatch import Dispatcher
from moot.runtime.memory import InMemoryChronicle
from moot.ticker.board import Board
from moot.ticker.feed import PAGE_SECONDS, Feed, OpenSnapshot
from moot.ticker.firing import Firing
from moot.ticker.packed import Packed, pack
from moot.ticker.snapshot import Snapshot
from tests.support.measured import measured
from tests.support.recording import Recorder, everything
from tests.support.running import running
from tests.support.topics import SCHEDULE
from tests.support.waiting import turn_of_others, until

PAGES = 5
PACKED = pack(TopicTimetable(Stage.CREATED, SCHEDULE, 3), 1)


@asynccontextmanager
async def nothing() -> AsyncGenerator[None]:
    yield None


def feed_of(chronicle: InMemoryChronicle, board: Board, snapshot: OpenSnapshot = nothing) -> Feed:
    clock = ChronicleClock()
    dispatcher = Dispatcher(chronicle, source="moot/ticker", now=clock.now)
    firing = Firing(board, dispatcher, replica="t1", living=dict, now=clock.now)
    return Feed(board, chronicle, snapshot, clock=clock, firing=firing)


@asynccontextmanager
async def following(chronicle: InMemoryChronicle, board: Board) -> AsyncGenerator[None]:
    feed = feed_of(chronicle, board)
    await feed.load()
    async with running(feed.run()):
        yield


def counted(name: str) -> float:
    return measured(name) or 0.0


async def test_events_that_are_missing_are_counted_and_the_rest_is_read() -> None:
    chronicle, board = InMemoryChronicle(idle_seconds=0.05), Board()
    last = await Recorder(chronicle).add(everything()[:12])
    chronicle.lose(4)
    chronicle.lose(5)
    before = counted("moot_ticker_holes_total")

    async def has_read_all() -> bool:
        return board.position == last

    async with following(chronicle, board):
        await until(has_read_all)
    assert counted("moot_ticker_holes_total") == before + 1


async def test_a_longer_chronicle_in_the_place_of_the_known_one_is_learnt_from_the_start() -> None:
    """Though the connection holds: as when a stream is deleted, and another restored."""
    chronicle, other = (InMemoryChronicle(idle_seconds=0.05) for _ in range(2))
    first = await Recorder(chronicle).add(everything()[:5])
    last = await Recorder(other).add(reversed(everything()))
    board, before = Board(), counted("moot_ticker_memory_dropped_total")

    async def is_at(position: int) -> bool:
        return board.position == position

    async with following(chronicle, board):
        await until(lambda: is_at(first))
        vars(chronicle).update(vars(other))
        await until(lambda: is_at(last))
    assert counted("moot_ticker_memory_dropped_total") == before + 1
    expected = Board()
    async with following(other, expected):
        await until(lambda: at_end(expected, last))
    assert len(board) == len(expected)


async def at_end(board: Board, last: int) -> bool:
    return board.position == last


class LateLoop:
    """This loop's clock, as it would be had each page of a snapshot taken so many seconds."""

    def __init__(self, patch: pytest.MonkeyPatch, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        now, self.late = loop.time, 0.0
        self._seconds = seconds
        patch.setattr(loop, "time", lambda: now() + self.late)

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Snapshot]:
        yield Snapshot(1, None, None, self._pages())

    async def _pages(self) -> AsyncGenerator[list[tuple[str, Packed]]]:
        for number in range(PAGES):
            self.late += self._seconds
            await turn_of_others()
            await turn_of_others()
            yield [(f"topic/{number}", PACKED)]


@pytest.mark.parametrize(("share", "taken"), [(0.5, PAGES), (1.5, 0)])
async def test_a_snapshot_may_take_long_as_long_as_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, share: float, taken: int
) -> None:
    chronicle, board = InMemoryChronicle(), Board()
    await Recorder(chronicle).add(everything()[:1])
    late = LateLoop(monkeypatch, share * PAGE_SECONDS)
    await feed_of(chronicle, board, late.snapshot).load()
    assert (len(board), board.position) == (taken, 1 if taken else 0)
