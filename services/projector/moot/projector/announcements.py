"""The projection `announcements_v1`: what was to be told to whom, and what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Literal, Self

from moot.contracts.deliveries import (
    AnnouncementDelivered,
    AnnouncementFailed,
    Attempt,
    DeliveryAttempted,
    DeliveryDue,
    DeliveryEvent,
    DeliveryPostponed,
    DeliveryRequested,
    DeliveryRetried,
)
from moot.contracts.envelope import Recorded
from moot.contracts.ids import is_hex_id
from moot.contracts.subjects import StreamName
from moot.projector.rows import Row, write
from moot.runtime.database import Connection
from moot.runtime.projection import Projection

INSERT = """
INSERT INTO announcements (
    queue_id, event_id, position, topic_id, endpoint, event_type, requested_at,
    requested_position, status, attempts, last_status, last_error, next_attempt_at, settled_at
)
SELECT
    queue_id, event_id, position, topic_id, endpoint::jsonb, event_type, requested_at,
    requested_position, coalesce(status, 'requested'), coalesce(attempts, 0), last_status,
    last_error, next_attempt_at, settled_at
FROM unnest(
    $1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[],
    $8::bigint[], $9::text[], $10::integer[], $11::integer[], $12::text[], $13::timestamptz[],
    $14::timestamptz[]
) AS c (
    queue_id, event_id, position, topic_id, endpoint, event_type, requested_at,
    requested_position, status, attempts, last_status, last_error, next_attempt_at, settled_at
)
ON CONFLICT DO NOTHING
"""

# Null leaves a column as it is; an attempt says that the nullable columns about it hold.
UPDATE = """
UPDATE announcements AS a
SET
    status = coalesce(c.status, a.status),
    attempts = coalesce(c.attempts, a.attempts),
    last_status = CASE WHEN c.attempts IS NULL THEN a.last_status ELSE c.last_status END,
    last_error = CASE WHEN c.attempts IS NULL THEN a.last_error ELSE c.last_error END,
    next_attempt_at = c.next_attempt_at,
    settled_at = CASE WHEN c.status IS NULL THEN a.settled_at ELSE c.settled_at END,
    position = c.position
FROM unnest(
    $1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[],
    $8::bigint[], $9::text[], $10::integer[], $11::integer[], $12::text[], $13::timestamptz[],
    $14::timestamptz[]
) AS c (
    queue_id, event_id, position, topic_id, endpoint, event_type, requested_at,
    requested_position, status, attempts, last_status, last_error, next_attempt_at, settled_at
)
WHERE a.queue_id = c.queue_id AND a.event_id = c.event_id AND a.position < c.position
"""

FORGET = "DELETE FROM announcements WHERE queue_id = ANY ($1::uuid[])"

STATEMENTS = (INSERT, UPDATE, FORGET)
Settled = Literal["delivered", "failed"]


@dataclass(slots=True)
class Change:
    """What a batch makes of one announcement, in the order of the statements' parameters."""

    queue_id: str
    event_id: str
    position: int = 0
    topic_id: str | None = None
    endpoint: str | None = None
    event_type: str | None = None
    requested_at: datetime | None = None
    requested_position: int | None = None
    status: Literal["retrying"] | Settled | None = None
    attempts: int | None = None
    last_status: int | None = None
    last_error: str | None = None
    next_attempt_at: datetime | None = None
    settled_at: datetime | None = None

    def row(self) -> Row:
        return _row(self)

    def add(self, event: DeliveryEvent, position: int) -> Self:
        self.position = position
        match event:
            case DeliveryRequested():
                self._request(event, position)
            case DeliveryAttempted():
                self.status, self.next_attempt_at = "retrying", event.next_attempt_at
                self._attempt(event.attempt, event.attempt.error)
            case DeliveryPostponed():
                self.next_attempt_at = event.next_attempt_at
            case DeliveryDue():
                self.next_attempt_at = None
            case AnnouncementDelivered():
                self._settle("delivered", event.attempt, event.attempt.error)
            case AnnouncementFailed():
                self._settle("failed", event.attempt, event.reason)
            case DeliveryRetried():
                self.status, self.settled_at, self.next_attempt_at = "retrying", None, None
        return self

    def _request(self, event: DeliveryRequested, position: int) -> None:
        self.topic_id = event.announcement.topic_id
        self.endpoint = event.endpoint.model_dump_json()
        self.event_type = event.announcement.event_type
        self.requested_at, self.requested_position = event.requested_at, position

    def _attempt(self, attempt: Attempt, error: str | None) -> None:
        self.attempts, self.last_status, self.last_error = attempt.attempt, attempt.status, error

    def _settle(self, status: Settled, attempt: Attempt, error: str | None) -> None:
        self.status, self.settled_at = status, attempt.attempted_at
        self.next_attempt_at = None
        self._attempt(attempt, error)


_row: Callable[[Change], Row] = attrgetter(*Change.__slots__)


async def apply(connection: Connection, batch: Sequence[Recorded]) -> None:
    changes: dict[tuple[str, str], Change] = {}
    for recorded in batch:
        event = recorded.event
        if not isinstance(event, DeliveryEvent):
            continue
        event_id = _announced(event)
        key = (recorded.stream.id, event_id)
        change = changes.get(key) or Change(recorded.stream.id, event_id)
        changes[key] = change.add(event, recorded.position)
    born = [change for change in changes.values() if change.topic_id is not None]
    inserted = await write(connection, INSERT, [change.row() for change in born])
    rest = [c for c in changes.values() if c.topic_id is None or inserted < len(born)]
    await write(connection, UPDATE, [change.row() for change in rest])


async def forget(connection: Connection, streams: Sequence[StreamName]) -> None:
    # The stream of all webhooks is no queue's.
    await connection.execute(FORGET, [s.id for s in streams if is_hex_id(s.id)])


def _announced(event: DeliveryEvent) -> str:
    """Return the id of the event that is announced."""
    if isinstance(event, DeliveryRequested):
        return event.announcement.event_id
    return event.event_id


ANNOUNCEMENTS = Projection(
    "announcements_v1", frozenset({"delivery"}), ("announcements",), apply, forget
)
