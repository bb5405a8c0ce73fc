"""What is to be looked at next: two lanes that take turns, and what has to wait for its time.

Each lane is in the order of due times. What has just come due has a lane of its own, so that a
backlog (after an outage, or what fails and is tried again) delays nothing that is on time, and what
is on time doesn't shut out the backlog.
"""

import heapq
from datetime import timedelta
from typing import Final, NamedTuple

from moot.contracts.subjects import StreamName
from moot.domain.deadlines import Deadline
from moot.ticker.board import Due

BACKLOG: Final = timedelta(seconds=2) // timedelta(microseconds=1)
"""What is overdue by more is in the backlog."""


class Turn(NamedTuple):
    """A look at a stream's deadline, after so many `tries`.

    `stands_by`: others go first, and had their time. `missed` is a deadline that memory knows
    nothing of: it is fired as it stands.
    """

    due: Due
    tries: int = 0
    stands_by: bool = False
    missed: tuple[StreamName, Deadline] | None = None


class Turns:
    """Times are microseconds since 1970."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._on_time: list[tuple[Due, int, Turn]] = []
        self._backlog: list[tuple[Due, int, Turn]] = []
        self._waiting: list[tuple[int, bytes, int, Turn]] = []
        self._numbers = 0
        self._backlog_was_last = False

    def put(self, turn: Turn, now: int) -> None:
        """Let it be taken as soon as it is the first in its lane."""
        lane = self._on_time if now - turn.due.due_at <= BACKLOG else self._backlog
        heapq.heappush(lane, (turn.due, self._number(), turn))

    def put_off(self, turn: Turn, until: int, weight: bytes = b"") -> None:
        """Let it wait until then; of those that waited for one moment, the least weight first."""
        heapq.heappush(self._waiting, (until, weight, self._number(), turn))

    def next_at(self) -> int | None:
        """Return when the first of those that wait has waited long enough."""
        return self._waiting[0][0] if self._waiting else None

    def due_times(self) -> list[tuple[Due, bool]]:
        """Return what is in any lane, and whether it is fired whatever memory says; unordered."""
        turns = [entry[-1] for entry in (*self._on_time, *self._backlog, *self._waiting)]
        return [(turn.due, turn.missed is not None) for turn in turns]

    def take(self, now: int) -> Turn | None:
        """Return the next one, None when it is nobody's turn."""
        while self._waiting and self._waiting[0][0] <= now:
            self.put(heapq.heappop(self._waiting)[-1], now)
        lanes = [lane for lane in (self._on_time, self._backlog) if lane]
        if not lanes:
            return None
        lane = lanes[0] if self._backlog_was_last else lanes[-1]
        self._backlog_was_last = lane is self._backlog
        return heapq.heappop(lane)[-1]

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers
