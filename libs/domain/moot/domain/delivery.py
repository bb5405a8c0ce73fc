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
    DeliveryPostponed,
    DeliveryRequested,
    DeliveryRetried,
    Endpoint,
    MakeDeliveryDue,
    PostponeDelivery,
    RecordAttempt,
    RequestDelivery,
    RetryDelivery,
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
    """All there were, those before it was retried by hand too: an attempt's number is its own."""
    waits_until: datetime | None = None
    called_up: bool = False
    """Whether it has been waited for: from then on deadlines alone call it up."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    announcement: Announcement
    attempts: int


@dataclass(frozen=True, slots=True)
class Queue:
    endpoint: Endpoint | None = None
    open: Mapping[EventId, OpenRequest] = field(default_factory=dict[EventId, OpenRequest])
    """By the id of the announced event, oldest request first."""
    delivered: frozenset[EventId] = frozenset()
    failed: Mapping[EventId, GivenUp] = field(default_factory=dict[EventId, GivenUp])

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
            return _waiting(state, event.event_id, event.next_attempt_at, event.attempt.attempt)
        case DeliveryPostponed():
            return _waiting(state, event.event_id, event.next_attempt_at)
        case DeliveryDue():
            return _waiting(state, event.event_id, None)
        case AnnouncementDelivered():
            settled = _without(state, event.event_id)
            return replace(settled, delivered=state.delivered | {event.event_id})
        case AnnouncementFailed():
            return _given_up(state, event)
        case DeliveryRetried():
            return _reopened(state, event)
        case _:
            assert_never(event)


def _waiting(
    state: Queue, event_id: EventId, until: datetime | None, attempts: int | None = None
) -> Queue:
    request = state.open.get(event_id)
    if request is None:
        return state
    changed = replace(
        request,
        waits_until=until,
        attempts=request.attempts if attempts is None else attempts,
        called_up=True,
    )
    return replace(state, open={**state.open, event_id: changed})


def _without(state: Queue, event_id: EventId) -> Queue:
    return replace(state, open={id_: one for id_, one in state.open.items() if id_ != event_id})


def _given_up(state: Queue, event: AnnouncementFailed) -> Queue:
    request = state.open.get(event.event_id)
    if request is None:
        return state
    given_up = GivenUp(request.announcement, event.attempt.attempt)
    return replace(
        _without(state, event.event_id), failed={**state.failed, event.event_id: given_up}
    )


def _reopened(state: Queue, event: DeliveryRetried) -> Queue:
    given_up = state.failed.get(event.event_id)
    if given_up is None:
        return state
    request = OpenRequest(
        given_up.announcement, event.retried_at, not state.open, given_up.attempts
    )
    return replace(
        state,
        open={**state.open, event.event_id: request},
        failed={id_: one for id_, one in state.failed.items() if id_ != event.event_id},
    )


def decide(state: Queue, command: DeliveryCommand, now: datetime) -> list[DeliveryEvent] | Refused:
    match command:
        case RequestDelivery():
            return _request(state, command, now)
        case RecordAttempt():
            return _record(state, command, now)
        case PostponeDelivery():
            return _postpone(state, command, now)
        case MakeDeliveryDue():
            return _make_due(state, command, now)
        case RetryDelivery():
            return _retry(state, command, now)
        case _:
            assert_never(command)


def _request(state: Queue, command: RequestDelivery, now: datetime) -> list[DeliveryEvent]:
    event_id = command.announcement.event_id
    if event_id in state.open or event_id in state.delivered or event_id in state.failed:
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


def _postpone(
    state: Queue, command: PostponeDelivery, now: datetime
) -> list[DeliveryEvent] | Refused:
    request = state.open.get(command.event_id)
    if request is None:
        return _settled_or_unknown(state, command.event_id)
    if request.waits_until is not None:
        return []
    if request is not state.oldest:
        return Refused("not-oldest", "an older request of this queue is still open")
    next_attempt_at = now + command.delay
    if next_attempt_at - request.requested_at > command.give_up_after:
        nothing = Attempt(
            attempt=request.attempts,
            status=None,
            error=command.reason,
            answer="",
            duration_ms=0,
            attempted_at=now,
        )
        return [_gave_up(command.event_id, nothing, command.give_up_after)]
    return [
        DeliveryPostponed(
            event_id=command.event_id,
            reason=command.reason,
            postponed_at=now,
            next_attempt_at=next_attempt_at,
        )
    ]


def _retry(state: Queue, command: RetryDelivery, now: datetime) -> list[DeliveryEvent] | Refused:
    if not command.by.is_admin:
        return Refused("not-admin", "only an admin has a delivery retried")
    if command.event_id in state.open:
        return []
    if command.event_id in state.delivered:
        return Refused("already-delivered", "it has arrived")
    if command.event_id not in state.failed:
        return _settled_or_unknown(state, command.event_id)
    return [
        DeliveryRetried(
            event_id=command.event_id,
            reason=command.reason,
            retried_by=command.by.auth_id,
            retried_at=now,
        )
    ]


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
    if event_id in state.delivered or event_id in state.failed:
        return []
    return Refused("delivery-unknown", f"no delivery of event {event_id} was requested here")


def _outcome(request: OpenRequest, command: RecordAttempt, now: datetime) -> DeliveryEvent:
    attempt = command.attempt
    if _arrived(attempt):
        return AnnouncementDelivered(event_id=command.event_id, attempt=attempt)
    hopeless = command.hopeless or _hopeless(attempt)
    if hopeless is not None:
        return AnnouncementFailed(event_id=command.event_id, attempt=attempt, reason=hopeless)
    delay = retry_delay(attempt.attempt, command.luck, command.retry_after_s)
    if now - request.requested_at + delay > command.give_up_after:
        return _gave_up(command.event_id, attempt, command.give_up_after)
    return DeliveryAttempted(
        event_id=command.event_id, attempt=attempt, next_attempt_at=now + delay
    )


def _arrived(attempt: Attempt) -> bool:
    return attempt.status is not None and 200 <= attempt.status < 300  # noqa: PLR2004 2xx


def _hopeless(attempt: Attempt) -> str | None:
    status = attempt.status
    if status is None or status in RETRIED or status >= 500:  # noqa: PLR2004 5xx
        return None
    return f"the receiver answered {status}, which no retry mends"


def _gave_up(event_id: EventId, attempt: Attempt, after: timedelta) -> AnnouncementFailed:
    reason = f"given up after {attempt.attempt} attempts in {after}"
    return AnnouncementFailed(event_id=event_id, attempt=attempt, reason=reason)


def retry_delay(attempt: int, luck: float, retry_after_s: float | None) -> timedelta:
    """Return how long to wait after attempt number `attempt` (from 1) failed.

    Exponential with full jitter, capped; never less than the receiver asked for.
    """
    doublings = min(attempt - 1, 20)
    jittered = min(FIRST_DELAY * 2**doublings, LONGEST_DELAY) * luck
    return max(jittered, timedelta(seconds=retry_after_s or 0))
