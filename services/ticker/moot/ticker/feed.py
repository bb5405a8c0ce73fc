"""Keeps the board as the log says: from a snapshot if there is one, then event by event."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import aclosing
from datetime import datetime
from typing import Final

import structlog
from prometheus_client import Counter, Histogram

from moot.contracts.catalogue import Event
from moot.contracts.subjects import StreamName
from moot.runtime.chronicle import Batch, Chronicle, Stored
from moot.runtime.decoding import UndecodableEventError, decoded
from moot.ticker.board import Board
from moot.ticker.snapshot import Snapshot

SNAPSHOT_SECONDS: Final = 10.0
SLICE: Final = 500

_lateness = Histogram(
    "moot_deadline_lateness_seconds",
    "Between when a deadline was due and when its event was stored",
    ["event"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 600),
)
_unread = Counter("moot_ticker_unread_events_total", "Events this ticker's code can't read")
_log = structlog.stdlib.get_logger(__name__)

ReadSnapshot = Callable[[], Awaitable[Snapshot | None]]


class ChronicleReplacedError(Exception):
    """NATS has another Chronicle than the one in memory."""


class Feed:
    """Follows the Chronicle onto a board; `changed` is told the streams of every batch."""

    def __init__(
        self,
        board: Board,
        chronicle: Chronicle,
        read: ReadSnapshot,
        *,
        now: Callable[[], datetime],
        changed: Callable[[Collection[StreamName]], None],
    ) -> None:
        self._board = board
        self._chronicle = chronicle
        self._read = read
        self._now = now
        self._changed = changed
        self.caught_up = asyncio.Event()
        """Set once everything that was in the Chronicle at the start is on the board."""

    async def load(self) -> None:
        """Start from the Ops DB's table; without one that can be used, from the beginning."""
        snapshot = await self._usable_snapshot()
        if snapshot is None:
            return
        for stream, timetable, position in snapshot.timetables:
            self._board.put(stream, timetable, position)
        self._board.position = snapshot.position
        _log.info("snapshot_loaded", position=snapshot.position, streams=len(snapshot.timetables))

    async def _usable_snapshot(self) -> Snapshot | None:
        try:
            async with asyncio.timeout(SNAPSHOT_SECONDS):
                snapshot = await self._read()
        except Exception as error:  # noqa: BLE001 the log has it all, the table only has it sooner
            _log.warning("snapshot_unavailable", reason=repr(error), instead="replay from 0")
            return None
        if snapshot is None or snapshot.position == 0:
            return None
        identity = await self._chronicle.identity()
        if snapshot.stream_created_at is not None and (
            snapshot.stream_created_at != identity.created_at
        ):
            _log.error("snapshot_of_another_chronicle", instead="replay from 0")
            return None
        if snapshot.position > await self._chronicle.head():
            _log.error("snapshot_ahead_of_chronicle", instead="replay from 0")
            return None
        return snapshot

    async def run(self) -> None:
        """Follow, for ever. Raises ChronicleReplacedError: only a new start can help then."""
        async with aclosing(self._chronicle.follow(self._board.position, batch=SLICE)) as batches:
            async for batch in batches:
                if batch.head < self._board.position:
                    raise ChronicleReplacedError(
                        f"the Chronicle ends at {batch.head}, memory is at {self._board.position}"
                    )
                asked_at = self._now()
                self._take(batch)
                if self._board.position >= batch.head:
                    self._caught_up(asked_at)
                self._changed({stored.stream for stored in batch.events})

    def _caught_up(self, moment: datetime) -> None:
        self._board.seen_through = moment
        if not self.caught_up.is_set():
            _log.info("caught_up", position=self._board.position, deadlines=len(self._board))
            self.caught_up.set()

    def _take(self, batch: Batch) -> None:
        for stored in batch.events:
            event = _event(stored)
            if event is None:
                self._board.position = stored.position
                continue
            self._board.see(stored.stream, event, stored.position)
            if self.caught_up.is_set():
                _observe_lateness(event, stored.stored_at)
        if batch.events:
            self._board.seen_through = batch.events[-1].stored_at


def _event(stored: Stored) -> Event | None:
    """Return the event, None if this code can't read it: then its stream's deadline may be lost."""
    try:
        return decoded(stored).event
    except UndecodableEventError as error:
        _unread.inc()
        _log.error("event_unread", position=stored.position, reason=str(error))
        return None


def _observe_lateness(event: Event, stored_at: datetime) -> None:
    due_at: datetime | None = getattr(event, "due_at", None)
    if due_at is not None:
        late = (stored_at - due_at).total_seconds()
        _lateness.labels(event.type).observe(max(late, 0))
