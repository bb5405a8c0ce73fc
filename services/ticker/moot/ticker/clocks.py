"""Watches the clocks that deadlines depend on, and says which of them is wrong."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from moot.runtime.chronicle_clock import BOUND, ChronicleClock
from moot.runtime.jetstream_api import JetStreamError
from moot.runtime.kernel_clock import is_synchronised
from moot.runtime.metrics import SECONDS, Gauge
from moot.runtime.nats_connection import LostAnswerError, NatsConnection
from moot.runtime.readiness import Readiness

LOOK_SECONDS: Final = 1.0

_lead = Gauge(
    "moot.clock.lead",
    SECONDS,
    "How far this clock is ahead of the Chronicle's, or of the replica's that is furthest off",
    "moot.clock",
)
_synchronised = Gauge(
    "moot.clock.synchronised", "", "Whether the kernel says NTP keeps this clock right; -1: unknown"
)
_log = structlog.stdlib.get_logger(__name__)


class Clocks:
    """Asks the Chronicle's clock, compares, and keeps the notes in readiness.

    `leads` has each other replica with how far its clock is ahead of this one's, in seconds.
    """

    def __init__(
        self,
        clock: ChronicleClock,
        connection: NatsConnection,
        *,
        leads: Callable[[], Mapping[str, float]],
        readiness: Readiness,
        synchronised: Callable[[], bool | None] = is_synchronised,
    ) -> None:
        self._clock = clock
        self._connection = connection
        self._leads = leads
        self._readiness = readiness
        self._synchronised = synchronised

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        try:
            await self._clock.ask(self._connection)
        except (LostAnswerError, JetStreamError) as error:
            _log.info("clock_not_asked", reason=str(error))
        others = {replica: -lead for replica, lead in self._leads().items()}
        own = self._clock.lead()
        if own is not None:
            _lead.set(own.total_seconds(), "chronicle")
        _lead.set(max(others.values(), key=abs, default=0.0), "replicas")
        self._readiness.note("clock", "; ".join(self._wrong(others)) or None)
        self._note_ntp()

    def _wrong(self, others: Mapping[str, float]) -> list[str]:
        bound = BOUND.total_seconds()
        own = self._clock.lead()
        wrong = {of: lead for of, lead in others.items() if abs(lead) > bound}
        said = [f"{_off(lead)} that of replica {of}" for of, lead in sorted(wrong.items())]
        if own is not None and not self._clock.is_right:
            said.insert(0, f"{_off(own.total_seconds())} the Chronicle's{_what_of_it(self._clock)}")
        return said

    def _note_ntp(self) -> None:
        synchronised = self._synchronised()
        _synchronised.set(-1 if synchronised is None else synchronised)
        unknown = "unknown: the kernel doesn't say" if synchronised is None else None
        off = "off: the kernel says that nothing keeps this clock right"
        self._readiness.note("ntp", off if synchronised is False else unknown)


def _off(lead: float) -> str:
    return f"{abs(lead):.3f} s {'ahead of' if lead > 0 else 'behind'}"


def _what_of_it(clock: ChronicleClock) -> str:
    if clock.is_late:
        return ": deadlines would come late here, so other replicas go first"
    return ": deadlines go by the Chronicle's, so that none comes early"
