"""Looks in the Ops DB for what is overdue and memory has missed: it should never find anything."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from prometheus_client import Counter, Gauge

from moot.ticker.board import Board
from moot.ticker.firing import Firing
from moot.ticker.snapshot import Overdue

GRACE: Final = timedelta(seconds=2)
"""What is overdue by less may be on its way."""

_missed = Counter("moot_ticker_missed_deadlines_total", "Overdue deadlines memory didn't know of")
_parked = Gauge(
    "moot_ticker_parked_streams", "Streams whose deadlines nobody knows: they're in dead letters"
)
_log = structlog.stdlib.get_logger(__name__)

ReadOverdue = Callable[[datetime], Awaitable[Overdue]]


class Sweep:
    def __init__(
        self,
        board: Board,
        firing: Firing,
        read: ReadOverdue,
        *,
        interval: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._board = board
        self._firing = firing
        self._read = read
        self._interval = interval
        self._now = now

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
        overdue = await self._read(self._now() - GRACE)
        missed = self._board.unknown(overdue.rows)
        self._board.forget_finished(overdue.position)
        for stream, deadline in missed:
            _missed.inc()
            _log.error(
                "deadline_missed",
                stream=stream.label,
                command=deadline.command,
                due_at=deadline.due_at.isoformat(),
            )
            self._firing.begin(stream, deadline, known=False)
        _parked.set(overdue.parked)
        if overdue.parked:
            _log.error("deadlines_unknown", streams_in_dead_letters=overdue.parked)
        return len(missed)
