"""Keeps the board as the log says: from a snapshot if there is one, then event by event."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Final

import structlog

from moot.contracts.envelope import Recorded
from moot.runtime.belonging import digest
from moot.runtime.chronicle import (
    Batch,
    Chronicle,
    ChronicleUnavailableError,
    Stored,
    StreamIdentity,
)
from moot.runtime.chronicle_clock import ChronicleClock
from moot.runtime.decoding import UndecodableEventError, decoded
from moot.runtime.metrics import Counter
from moot.runtime.telemetry import record_batch
from moot.ticker.board import Board
from moot.ticker.evidence import observe
from moot.ticker.firing import Firing
from moot.ticker.snapshot import Snapshot

PAGE_SECONDS: Final = 10.0
"""The longest that a page of the snapshot is waited for, however many there are."""

SLICE: Final = 500
MOST_TRACED: Final = 20
"""More at once is catching up."""

_unread = Counter("moot.ticker.unread_events", "{event}", "Events this ticker's code can't read")
_holes = Counter("moot.ticker.holes", "{hole}", "Times that the Chronicle lacked events in between")
_replaced = Counter(
    "moot.ticker.memory_dropped", "{drop}", "Times that NATS had another Chronicle than memory"
)
_log = structlog.stdlib.get_logger(__name__)

OpenSnapshot = Callable[[], AbstractAsyncContextManager[Snapshot | None]]


class _ReplacedError(Exception):
    """NATS has another Chronicle than the one in memory."""


class Feed:
    """Follows the Chronicle onto a board, and tells `firing` of every batch."""

    def __init__(
        self,
        board: Board,
        chronicle: Chronicle,
        snapshot: OpenSnapshot,
        *,
        clock: ChronicleClock,
        firing: Firing,
    ) -> None:
        self._board = board
        self._chronicle = chronicle
        self._snapshot = snapshot
        self._clock = clock
        self._firing = firing
        self._session = 0
        self._identity: StreamIdentity | None = None
        self._last: tuple[int, str] | None = None
        """The position and the digest of an event that was there."""
        self.caught_up = asyncio.Event()
        """Set while the board has everything that was in the Chronicle when it began to read."""

    async def load(self) -> None:
        """Start from the Ops DB's table; without one that can be used, from the beginning.

        Raises ChronicleUnavailableError.
        """
        self.caught_up.clear()
        self._board.clear()
        self._last = None
        self._session = self._chronicle.sessions
        self._identity = await self._chronicle.identity()
        try:
            async with asyncio.timeout(PAGE_SECONDS) as limit, self._snapshot() as snapshot:
                if snapshot is not None and await self._is_of_this_chronicle(snapshot):
                    await self._take_over(snapshot, limit)
        except ChronicleUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 the log has it all, the table only has it sooner
            self._board.clear()
            _log.warning("snapshot_unavailable", reason=repr(error), instead="replay from 0")

    async def _take_over(self, snapshot: Snapshot, limit: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        async for page in snapshot.timetables:
            limit.reschedule(loop.time() + PAGE_SECONDS)
            for label, packed in page:
                self._board.put(label, packed)
        self._board.position = snapshot.position
        if snapshot.last_event_digest is not None:
            self._last = (snapshot.position, snapshot.last_event_digest)
        _log.info("snapshot_loaded", position=snapshot.position, streams=len(self._board))

    async def _is_of_this_chronicle(self, snapshot: Snapshot) -> bool:
        if snapshot.position == 0:
            return False
        created_at = None if self._identity is None else self._identity.created_at
        if snapshot.stream_created_at not in {None, created_at}:
            _log.error("snapshot_of_another_chronicle", instead="replay from 0")
            return False
        there = await self._chronicle.get(snapshot.position)
        if there is None:
            _log.error("snapshot_ahead_of_chronicle", instead="replay from 0")
            return False
        if snapshot.last_event_digest not in {None, digest(there)}:
            _log.error("snapshot_of_another_chronicle", instead="replay from 0")
            return False
        return True

    async def run(self) -> None:
        """Follow, for ever; what NATS has instead of what it had is learnt from the start."""
        while True:
            try:
                await self._follow()
            except ChronicleUnavailableError as error:
                _log.warning("feed_interrupted", reason=str(error))
            except _ReplacedError as error:
                _replaced.add()
                _log.error("memory_dropped", reason=str(error))
                self._firing.forget()
                await self._load_again()

    async def _load_again(self) -> None:
        while True:
            try:
                await self.load()
            except ChronicleUnavailableError as error:
                _log.warning("feed_interrupted", reason=str(error))
            else:
                return

    async def _follow(self) -> None:
        async with aclosing(self._chronicle.follow(self._board.position, batch=SLICE)) as batches:
            async for batch in batches:
                asked_at = self._clock.now()
                await self._check(batch)
                self._take(batch)
                caught_up = self._board.position >= batch.head
                if caught_up:
                    self._board.seen_through = asked_at
                    self._say_caught_up()
                self._firing.board_changed(caught_up=caught_up)

    async def _check(self, batch: Batch) -> None:
        """Raise _ReplacedError when NATS came back with less, or with something else."""
        if batch.head < self._board.position:
            ends = f"the Chronicle ends at {batch.head}"
            raise _ReplacedError(f"{ends}, memory is at {self._board.position}")
        created_at = None if self._identity is None else self._identity.created_at
        if batch.created_at not in {None, created_at}:
            raise _ReplacedError("it was created at another time")
        session = self._chronicle.sessions
        if session == self._session:
            return
        if await self._chronicle.identity() != self._identity:
            raise _ReplacedError("it was created at another time")
        if self._last is not None:
            position, known = self._last
            there = await self._chronicle.get(position)
            if there is None or digest(there) != known:
                raise _ReplacedError(f"another event is at {position}")
        self._session = session

    def _take(self, batch: Batch) -> None:
        began_ns = time.time_ns()
        traceparents: list[str | None] = []
        for stored in batch.events:
            self._note_hole(stored.position)
            recorded = _recorded(stored)
            if recorded is None:
                self._board.position = stored.position
                continue
            self._board.see(stored.stream, recorded.event, stored.position)
            if self.caught_up.is_set():
                observe(recorded.event, stored.stored_at)
                traceparents.append(recorded.envelope.cause.traceparent)
        if len(traceparents) <= MOST_TRACED:
            record_batch("note deadlines", traceparents, began_ns, time.time_ns())
        if batch.events:
            last = batch.events[-1]
            self._last = (last.position, digest(last))
            self._board.seen_through = last.stored_at
            self._clock.stored(last.stored_at)

    def _note_hole(self, position: int) -> None:
        """Tell of missing events: deadlines may be unknown, but those that are known hold."""
        if position != self._board.position + 1:
            _holes.add()
            _log.error("events_missing", after=self._board.position, before=position)

    def _say_caught_up(self) -> None:
        if not self.caught_up.is_set():
            _log.info("caught_up", position=self._board.position, deadlines=len(self._board))
            self.caught_up.set()


def _recorded(stored: Stored) -> Recorded | None:
    """Return the event, None if this code can't read it: then its stream's deadline may be lost."""
    try:
        return decoded(stored)
    except UndecodableEventError as error:
        _unread.add()
        _log.error("event_unread", position=stored.position, reason=str(error))
        return None
