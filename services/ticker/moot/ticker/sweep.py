"""Looks in the Ops DB for what is overdue and memory has missed: it should never find anything."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Final

import structlog

from moot.contracts.subjects import StreamName
from moot.domain.deadlines import Deadline
from moot.runtime.metrics import Counter, Gauge
from moot.runtime.readiness import Readiness
from moot.ticker.board import Board
from moot.ticker.firing import Firing
from moot.ticker.snapshot import Overdue

GRACE: Final = timedelta(seconds=2)
"""What is overdue by less may be on its way."""

ALARM: Final = timedelta(hours=1)
"""How long after its last find the sweep goes on saying so."""

_missed = Counter(
    "moot.ticker.missed_deadlines", "{deadline}", "Overdue deadlines that memory didn't know of"
)
_parked = Gauge(
    "moot.ticker.parked_streams",
    "{stream}",
    "Streams whose deadlines nobody knows: they're in dead letters",
)
_log = structlog.stdlib.get_logger(__name__)

OpenOverdue = Callable[[datetime], AbstractAsyncContextManager[Overdue]]


class Sweep:
    def __init__(
        self,
        board: Board,
        firing: Firing,
        overdue: OpenOverdue,
        *,
        interval: timedelta,
        now: Callable[[], datetime],
        readiness: Readiness,
    ) -> None:
        self._board = board
        self._firing = firing
        self._overdue = overdue
        self._interval = interval
        self._now = now
        self._readiness = readiness
        self._found = 0
        self._found_at: datetime | None = None

    async def run(self) -> None:
        """Sweep now and every interval, for ever."""
        while True:
            try:
                await self.once()
            except Exception as error:  # noqa: BLE001 the log feeds memory all the same
                _log.warning("sweep_failed", reason=repr(error))
            await asyncio.sleep(self._interval.total_seconds())

    async def once(self) -> int:
        """Fire what memory has missed; return how many those were."""
        now = self._now()
        missed: list[tuple[StreamName, Deadline]] = []
        async with self._overdue(now - GRACE) as overdue:
            async for page in overdue.pages:
                missed += self._board.unknown(page)
        self._board.forget_finished(overdue.position)
        for stream, deadline in missed:
            self._fire(stream, deadline)
        self._alarm(len(missed), overdue.parked, now)
        return len(missed)

    def _fire(self, stream: StreamName, deadline: Deadline) -> None:
        _missed.add()
        _log.error(
            "deadline_missed",
            stream=stream.label,
            command=deadline.command,
            due_at=deadline.due_at.isoformat(),
        )
        self._firing.fire_missed(stream, deadline)

    def _alarm(self, missed: int, parked: int, now: datetime) -> None:
        if missed:
            self._found, self._found_at = self._found + missed, now
        if self._found_at is not None and now - self._found_at > ALARM:
            self._found, self._found_at = 0, None
        found = f"{self._found} that memory had missed, the last at {self._found_at}"
        self._readiness.note("missed deadlines", found if self._found else None)
        _parked.set(parked)
        unknown = f"of {parked} streams nobody knows: they are in dead letters"
        self._readiness.note("deadlines unknown", unknown if parked else None)
        if parked:
            _log.error("deadlines_unknown", streams_in_dead_letters=parked)
