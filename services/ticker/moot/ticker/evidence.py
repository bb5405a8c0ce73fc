"""How late what was due came, as the Chronicle's own timestamps show it; and never early."""

from datetime import datetime

import structlog
from prometheus_client import Counter, Histogram

from moot.contracts.catalogue import Event

_lateness = Histogram(
    "moot_deadline_lateness_seconds",
    "Between when a deadline was due and when its event was stored",
    ["event"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 600),
)
_early = Counter(
    "moot_deadline_early_total", "Events that NATS says were stored before they were due"
)
_log = structlog.stdlib.get_logger(__name__)


def observe(event: Event, stored_at: datetime) -> None:
    due_at: datetime | None = getattr(event, "due_at", None)
    if due_at is None:
        return
    late = (stored_at - due_at).total_seconds()
    _lateness.labels(event.type).observe(max(late, 0))
    if late < 0:
        _early.inc()
        _log.error("deadline_early", event_type=event.type, due_at=str(due_at), early_s=-late)
