"""How late what was due came, as the Chronicle's own timestamps show it; and never early."""

from datetime import datetime

import structlog

from moot.contracts.catalogue import Event
from moot.runtime.metrics import Counter, Histogram

_lateness = Histogram(
    "moot.deadline.lateness",
    "Between when a deadline was due and when its event was stored",
    "moot.event_type",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 600),
)
_early = Counter(
    "moot.deadline.early", "{event}", "Events that NATS says were stored before they were due"
)
_log = structlog.stdlib.get_logger(__name__)


def observe(event: Event, stored_at: datetime) -> None:
    due_at: datetime | None = getattr(event, "due_at", None)
    if due_at is None:
        return
    late = (stored_at - due_at).total_seconds()
    _lateness.record(late, event.type)
    if late < 0:
        _early.add()
        _log.error("deadline_early", event_type=event.type, due_at=str(due_at), early_s=-late)
