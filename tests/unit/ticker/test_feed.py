"""What the ticker makes of a Chronicle that isn't what it was."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from moot.runtime.chronicle_clock import ChronicleClock
from moot.runtime.dispatch import Dispatcher
from moot.runtime.memory import InMemoryChronicle
from moot.ticker.board import Board
from moot.ticker.feed import Feed
from moot.ticker.firing import Firing
from tests.support.measured import measured
from tests.support.recording import Recorder, everything
from tests.support.running import running
from tests.support.waiting import until


@asynccontextmanager
async def nothing() -> AsyncGenerator[None]:
    yield None


@asynccontextmanager
async def following(chronicle: InMemoryChronicle, board: Board) -> AsyncGenerator[None]:
    clock = ChronicleClock()
    dispatcher = Dispatcher(chronicle, source="moot/ticker", now=clock.now)
    firing = Firing(board, dispatcher, replica="t1", living=dict, now=clock.now)
    feed = Feed(board, chronicle, nothing, clock=clock, firing=firing)
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
