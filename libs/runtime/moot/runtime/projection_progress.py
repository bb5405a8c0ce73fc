"""How far a projection is, as metrics and spans. Labels are projections' names, never ids."""

import time
from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

from moot.contracts.envelope import Recorded
from moot.runtime.telemetry import record_span

POSITION = Gauge("moot_projection_position", "Last position applied", ["projection"])
HEAD = Gauge("moot_projection_head", "Last position of the Chronicle known of", ["projection"])
BEHIND = Gauge("moot_projection_seconds_behind", "Age of what is applied next", ["projection"])
OWNED = Gauge("moot_projection_owned", "1 where this replica owns it", ["projection"])
EVENTS = Counter("moot_projection_events", "Events applied or passed over", ["projection"])
DEAD_LETTERS = Counter("moot_projection_dead_letters", "Events set aside", ["projection"])
PARKED = Gauge("moot_projection_parked", "Events set aside that wait now", ["projection"])
DIFFERENCES = Gauge("moot_projection_differences", "Rows known to be wrong", ["projection"])
VERIFIED_AT = Gauge("moot_projection_verified_at", "When rows were last verified", ["projection"])
FAILURES = Counter("moot_projection_failures", "Turns that an outage ended", ["projection"])
BATCH_SECONDS = Histogram("moot_projection_batch_seconds", "Time of one commit", ["projection"])

MOST_TRACED = 20
"""Larger batches are catching up; nobody waits for their traces."""


class Progress:
    def __init__(self, projection: str) -> None:
        self._projection = projection
        self._position = POSITION.labels(projection)
        self._head = HEAD.labels(projection)
        self._events = EVENTS.labels(projection)
        self._batch_seconds = BATCH_SECONDS.labels(projection)

    def owned(self, *, by_us: bool) -> None:
        OWNED.labels(self._projection).set(by_us)

    def failed(self) -> None:
        FAILURES.labels(self._projection).inc()

    def parked(self, events: int) -> None:
        DEAD_LETTERS.labels(self._projection).inc(events)

    def at(self, position: int, head: int) -> None:
        self._position.set(position)
        self._head.set(max(position, head))

    def committed(self, events: int, applied: Sequence[Recorded], began_ns: int) -> None:
        """Count a commit that began at `began_ns` (of `time.time_ns`), and trace its events."""
        ended_ns = time.time_ns()
        self._events.inc(events)
        self._batch_seconds.observe((ended_ns - began_ns) / 1e9)
        if len(applied) > MOST_TRACED:
            return
        for recorded in applied:
            record_span(
                f"project {self._projection}",
                recorded.envelope.cause.traceparent,
                began_ns,
                ended_ns,
                **{"moot.event_type": recorded.event.type},
            )
