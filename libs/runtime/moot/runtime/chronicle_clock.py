"""The time by which something may be said to be due: never ahead of the Chronicle's own clock.

Every event carries the time at which NATS stored it. A process whose clock is ahead of NATS's could
store something "before its time", as that record shows it. So what is asked here is the earlier of
this process's clock and the least that NATS's clock can be by now: what it last said, plus what has
passed since by a clock that nobody sets (Cristian's algorithm).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from moot.contracts.subjects import CHRONICLE
from moot.runtime.clock import utc_now
from moot.runtime.jetstream_api import ask
from moot.runtime.nats_connection import NatsConnection

BOUND: Final = timedelta(milliseconds=100)
"""How far a clock may be from the Chronicle's before it counts as wrong."""

DRIFT: Final = 0.0002
"""By how much two clocks may differ in speed."""


@dataclass(frozen=True, slots=True)
class Told:
    """The Chronicle's clock said `at` at some moment between `asked` and `answered`.

    Both by the monotonic clock, in seconds; `before` and `after` are the wall clock's then.
    """

    at: datetime
    asked: float
    answered: float
    before: datetime
    after: datetime


class ChronicleClock:
    """This process's clock, held back by the Chronicle's."""

    def __init__(
        self,
        *,
        wall: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._floor: tuple[datetime, float] | None = None
        """The Chronicle's clock was at least so much at that monotonic time."""
        self._last: Told | None = None

    def now(self) -> datetime:
        """Return the wall clock's time, or the Chronicle's when that is earlier."""
        least = self._least(self._monotonic())
        wall = self._wall()
        return wall if least is None else min(wall, least)

    def lead(self) -> timedelta | None:
        """Return by how much this clock is certainly ahead of the Chronicle's (behind: negative).

        Zero is as far as can be told; None before it was ever asked.
        """
        if self._last is None:
            return None
        # Between the two looks at this clock, the Chronicle's was `at`.
        least, most = self._last.before - self._last.at, self._last.after - self._last.at
        return max(least, timedelta()) or min(most, timedelta())

    @property
    def is_right(self) -> bool:
        """Whether it is within BOUND of the Chronicle's, as far as is known."""
        return abs(self.lead() or timedelta()) <= BOUND

    @property
    def is_late(self) -> bool:
        """Whether what goes by it comes late: it is behind the Chronicle's by more than BOUND."""
        return (self.lead() or timedelta()) < -BOUND

    async def ask(self, connection: NatsConnection) -> None:
        """Ask the Chronicle's leader for its time. Raises JetStreamError, LostAnswerError."""
        before, asked = self._wall(), self._monotonic()
        answer = await ask(connection, f"STREAM.INFO.{CHRONICLE}")
        answered, after = self._monotonic(), self._wall()
        at = datetime.fromisoformat(answer["ts"]).astimezone(UTC)
        self.tell(Told(at, asked, answered, before, after))

    def tell(self, told: Told) -> None:
        """Take in what the Chronicle's clock said."""
        self._last = told
        least = self._least(told.answered)
        most = told.at + timedelta(seconds=told.answered - told.asked)
        if least is not None and least > most:
            self._floor = None  # it was set back
        self._raise_floor(told.at, told.answered)

    def stored(self, at: datetime) -> None:
        """Take in that an event has been stored, at that time."""
        self._raise_floor(at, self._monotonic())

    def _raise_floor(self, at: datetime, monotonic: float) -> None:
        least = self._least(monotonic)
        if least is None or at > least:
            self._floor = (at, monotonic)

    def _least(self, monotonic: float) -> datetime | None:
        if self._floor is None:
            return None
        at, then = self._floor
        return at + timedelta(seconds=(monotonic - then) * (1 - DRIFT))
