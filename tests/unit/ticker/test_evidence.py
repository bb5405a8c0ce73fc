"""What was due says when it was due and when it fired, and how late it came can be seen."""

from datetime import timedelta
from typing import get_args

import pytest

from moot.contracts.catalogue import EVENTS, Event
from moot.contracts.deliveries import DeliveryDue
from moot.contracts.ids import EventId
from moot.contracts.topic_events import SignupOpened
from moot.domain.topic_stage_changes import DeadlineCommand
from moot.ticker.evidence import observe
from tests.support.measured import measured
from tests.support.topics import MICROSECOND, NOON

CAUSED_BY_DEADLINES: frozenset[type[Event]] = frozenset(
    event for event in EVENTS.values() if "fired_at" in event.model_fields
)
OPENED = SignupOpened(due_at=NOON, fired_at=NOON)


def shown(name: str, **labels: str) -> float:
    return measured(name, **labels) or 0.0


def test_every_event_that_a_deadline_causes_has_both_times() -> None:
    assert len(CAUSED_BY_DEADLINES) == len(get_args(DeadlineCommand)) + len({DeliveryDue})
    assert all("due_at" in event.model_fields for event in CAUSED_BY_DEADLINES)


def test_lateness_is_between_due_and_stored_whatever_the_ticker_says() -> None:
    name, labels = "moot_deadline_lateness_seconds", {"moot_event_type": OPENED.type}
    before = shown(f"{name}_count", **labels), shown(f"{name}_sum", **labels)
    observe(OPENED, NOON + timedelta(seconds=3))
    after = shown(f"{name}_count", **labels), shown(f"{name}_sum", **labels)
    assert (after[0] - before[0], after[1] - before[1]) == (1, pytest.approx(3))


def test_what_was_stored_before_it_was_due_is_counted() -> None:
    before = shown("moot_deadline_early_total")
    observe(OPENED, NOON)
    assert shown("moot_deadline_early_total") == before
    observe(DeliveryDue(event_id=EventId("5" * 32), due_at=NOON, fired_at=NOON), NOON - MICROSECOND)
    assert shown("moot_deadline_early_total") == before + 1
