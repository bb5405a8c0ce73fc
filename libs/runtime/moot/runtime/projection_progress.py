"""How far a projection is, as metrics and spans. Attributes are projections' names, never ids."""

import time
from collections.abc import Sequence

from moot.contracts.envelope import Recorded
from moot.runtime.metrics import SECONDS, Counter, Gauge, Histogram
from moot.runtime.telemetry import record_batch

_NAME = "moot.projection"
_EVENTS = "{event}"

POSITION = Gauge("moot.projection.position", "", "Last position applied", _NAME)
HEAD = Gauge("moot.projection.head", "", "Last position of the Chronicle known of", _NAME)
BEHIND = Gauge("moot.projection.behind", SECONDS, "How long the next to apply has waited", _NAME)
PAUSED = Gauge("moot.projection.paused", "", "1 while an operator has it paused", _NAME)
OWNED = Gauge("moot.projection.owned", "", "1 where this replica owns it", _NAME)
EVENTS = Counter("moot.projection.events", _EVENTS, "Events applied or passed over", _NAME)
DEAD_LETTERS = Counter("moot.projection.dead_letters", _EVENTS, "Events set aside", _NAME)
PARKED = Gauge("moot.projection.parked", _EVENTS, "Events set aside that wait now", _NAME)
PARKED_FOR = Gauge(
    "moot.projection.parked.longest", SECONDS, "How long the first of those has waited", _NAME
)
DIFFERENCES = Gauge("moot.projection.differences", "{row}", "Rows known to be wrong", _NAME)
DIFFERS_FOR = Gauge(
    "moot.projection.differences.longest", SECONDS, "How long rows have been known wrong", _NAME
)
VERIFIED_AT = Gauge(
    "moot.projection.verified_at", SECONDS, "When rows were last verified, since 1970", _NAME
)
FAILURES = Counter("moot.projection.failures", "{turn}", "Turns that an outage ended", _NAME)
RESTARTS = Counter(
    "moot.projection.restarts", "{turn}", "Times that it was begun again from its checkpoint", _NAME
)
COMMITS = Histogram("moot.projection.commit.duration", "Time of one commit", _NAME)

MOST_TRACED = 20
"""Larger batches are catching up; nobody waits for their traces."""


class Progress:
    def __init__(self, projection: str) -> None:
        self._projection = projection

    def owned(self, *, by_us: bool) -> None:
        OWNED.set(by_us, self._projection)
        if by_us:
            RESTARTS.add(self._projection)

    def failed(self) -> None:
        FAILURES.add(self._projection)

    def parked(self, events: int) -> None:
        DEAD_LETTERS.add(self._projection, by=events)

    def at(self, position: int, head: int) -> None:
        POSITION.set(position, self._projection)
        HEAD.set(max(position, head), self._projection)

    def committed(self, events: int, applied: Sequence[Recorded], began_ns: int) -> None:
        """Count a commit that began at `began_ns` (of `time.time_ns`), and trace its events."""
        ended_ns = time.time_ns()
        EVENTS.add(self._projection, by=events)
        COMMITS.record((ended_ns - began_ns) / 1e9, self._projection)
        if len(applied) <= MOST_TRACED:
            record_batch(
                f"project {self._projection}",
                [recorded.envelope.cause.traceparent for recorded in applied],
                began_ns,
                ended_ns,
                {"moot.projection": self._projection},
            )
