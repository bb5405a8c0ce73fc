"""Decides what becomes of a delivery queue: one topic's announcements to one endpoint.

Only the oldest open request is attempted, so messages arrive in the order of their events. When
to try again is a deadline like any other: the ticker fires it, nothing sleeps on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from moot.contracts.deliveries import (
    Announcement,
    AnnouncementDelivered,
    AnnouncementFailed,
    Attempt,
    DeliveryAttempted,
    DeliveryCommand,
    DeliveryDue,
    DeliveryEvent,
    DeliveryRequested,
    Endpoint,
    MakeDeliveryDue,
    RecordAttempt,
    RequestDelivery,
)
from moot.contracts.ids import EventId
from moot.contracts.subjects import Category
from moot.domain.refusal import Refused

category: Category = "delivery"

FIRST_DELAY = timedelta(seconds=2)
"""The most that the first retry waits; it doubles with each attempt."""

LONGEST_DELAY = timedelta(minutes=15)

RETRIED = frozenset({401, 403, 408, 409, 429})
"""Statuses below 500 that the receiver's operator can mend while we go on trying."""


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A message that has neither arrived nor been given up.

    `waits_until` is when its next attempt is due; None means that it may be attempted now.
    """

    announcement: Announcement
    requested_at: datetime
    first_in_line: bool
    """Whether nothing else was open when it was requested: nobody else's end will call it up."""
    attempts: int = 0
    waits_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    endpoint: Endpoint | None = None
    open: Mapping[EventId, OpenRequest] = field(default_factory=dict[EventId, OpenRequest])
    """By the id of the announced event, oldest request first."""
    settled: frozenset[EventId] = frozenset()

    @property
    def oldest(self) -> OpenRequest | None:
        return next(iter(self.open.values()), None)

    @property
    def ready(self) -> OpenRequest | None:
        """Return the request that is to be attempted now, if there is one."""
        oldest = self.oldest
        return None if oldest is None or oldest.waits_until is not None else oldest


initial = Queue()


def evolve(state: Queue, event: DeliveryEvent) -> Queue:
    match event:
        case DeliveryRequested():
            request = OpenRequest(event.announcement, event.requested_at, not state.open)
            return replace(
                state,
                endpoint=event.endpoint,
                open={**state.open, event.announcement.event_id: request},
            )
        case DeliveryAttempted():
            return _changed(
                state,
                event.event_id,
                attempts=event.attempt.attempt,
                waits_until=event.next_attempt_at,
            )
        case DeliveryDue():
            return _changed(state, event.event_id, waits_until=None)
        case AnnouncementDelivered() | AnnouncementFailed():
            return replace(
                state,
                open={id_: open_ for id_, open_ in state.open.items() if id_ != event.event_id},
                settled=state.settled | {event.event_id},
            )
        case _:
            assert_never(event)


def _changed(
    state: Queue,
    event_id: EventId,
    *,
    waits_until: datetime | None,
    attempts: int | None = None,
) -> Queue:
    request = state.open.get(event_id)
    if request is None:
        return state
    changed = replace(
        request,
        waits_until=waits_until,
        attempts=request.attempts if attempts is None else attempts,
    )
    return replace(state, open={**state.open, event_id: changed})


def decide(state: Queue, command: DeliveryCommand, now: datetime) -> list[DeliveryEvent] | Refused:
    match command:
        case RequestDelivery():
            return _request(state, command, now)
        case RecordAttempt():
            return _record(state, command, now)
        case MakeDeliveryDue():
            return _make_due(state, command, now)
        case _:
            assert_never(command)


def _request(state: Queue, command: RequestDelivery, now: datetime) -> list[DeliveryEvent]:
    event_id = command.announcement.event_id
    if event_id in state.open or event_id in state.settled:
        return []
    return [
        DeliveryRequested(
            endpoint=command.endpoint, announcement=command.announcement, requested_at=now
        )
    ]


def _record(state: Queue, command: RecordAttempt, now: datetime) -> list[DeliveryEvent] | Refused:
    request = state.open.get(command.event_id)
    if request is None:
        return _settled_or_unknown(state, command.event_id)
    if command.attempt.attempt <= request.attempts:
        return []
    if request is not state.oldest:
        return Refused("not-oldest", "an older request of this queue is still open")
    if command.attempt.attempt != request.attempts + 1:
        return Refused("attempt-out-of-order", f"attempt {request.attempts + 1} comes next")
    return [_outcome(request, command, now)]


def _make_due(
    state: Queue, command: MakeDeliveryDue, now: datetime
) -> list[DeliveryEvent] | Refused:
    request = state.open.get(command.event_id)
    if request is None:
        return _settled_or_unknown(state, command.event_id)
    if request.waits_until is None:
        return []
    if now < request.waits_until:
        return Refused("not-due", f"the next attempt is due at {request.waits_until.isoformat()}")
    return [DeliveryDue(event_id=command.event_id, due_at=request.waits_until, fired_at=now)]


def _settled_or_unknown(state: Queue, event_id: EventId) -> list[DeliveryEvent] | Refused:
    if event_id in state.settled:
        return []
    return Refused("delivery-unknown", f"no delivery of event {event_id} was requested here")


def _outcome(request: OpenRequest, command: RecordAttempt, now: datetime) -> DeliveryEvent:
    attempt = command.attempt
    if _arrived(attempt):
        return AnnouncementDelivered(event_id=command.event_id, attempt=attempt)
    if not _worth_retrying(attempt):
        return AnnouncementFailed(
            event_id=command.event_id,
            attempt=attempt,
            reason=f"the receiver answered {attempt.status}, which no retry mends",
        )
    delay = retry_delay(attempt.attempt, command.luck, command.retry_after_s)
    if now - request.requested_at + delay > command.give_up_after:
        return AnnouncementFailed(
            event_id=command.event_id,
            attempt=attempt,
            reason=f"given up after {attempt.attempt} attempts in {command.give_up_after}",
        )
    return DeliveryAttempted(
        event_id=command.event_id, attempt=attempt, next_attempt_at=now + delay
    )


def _arrived(attempt: Attempt) -> bool:
    return attempt.status is not None and 200 <= attempt.status < 300  # noqa: PLR2004 2xx


def _worth_retrying(attempt: Attempt) -> bool:
    status = attempt.status
    return status is None or status in RETRIED or status >= 500  # noqa: PLR2004 5xx


def retry_delay(attempt: int, luck: float, retry_after_s: float | None) -> timedelta:
    """Return how long to wait after attempt number `attempt` (from 1) failed.

    Exponential with full jitter, capped; never less than the receiver asked for.
    """
    doublings = min(attempt - 1, 20)
    jittered = min(FIRST_DELAY * 2**doublings, LONGEST_DELAY) * luck
    return max(jittered, timedelta(seconds=retry_after_s or 0))
