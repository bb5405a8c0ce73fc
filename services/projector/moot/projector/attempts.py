"""The projection `attempts_v1`: each time an announcement was sent, or left for later."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast, get_args

from moot.contracts.deliveries import (
    AnnouncementDelivered,
    AnnouncementFailed,
    Attempt,
    DeliveryAttempted,
    DeliveryPostponed,
)
from moot.contracts.envelope import Recorded
from moot.contracts.ids import is_hex_id
from moot.contracts.subjects import StreamName
from moot.projector.rows import Row, write
from moot.runtime.database import Connection
from moot.runtime.projection import Projection

INSERT = """
INSERT INTO delivery_attempts (
    position, queue_id, event_id, outcome, attempt, status, error, answer, duration_ms, at,
    next_attempt_at
)
SELECT * FROM unnest(
    $1::bigint[], $2::uuid[], $3::uuid[], $4::text[], $5::integer[], $6::integer[], $7::text[],
    $8::text[], $9::integer[], $10::timestamptz[], $11::timestamptz[]
)
ON CONFLICT DO NOTHING
"""

FORGET = "DELETE FROM delivery_attempts WHERE queue_id = ANY ($1::uuid[])"

STATEMENTS = (INSERT, FORGET)


_Telling = DeliveryAttempted | AnnouncementDelivered | AnnouncementFailed | DeliveryPostponed
_TELLING: Final = frozenset(get_args(_Telling))


async def apply(connection: Connection, batch: Sequence[Recorded]) -> None:
    rows = [
        _row(recorded, cast("_Telling", recorded.event))
        for recorded in batch
        if type(recorded.event) in _TELLING
    ]
    await write(connection, INSERT, rows)


async def forget(connection: Connection, streams: Sequence[StreamName]) -> None:
    # The stream of all webhooks is no queue's.
    await connection.execute(FORGET, [s.id for s in streams if is_hex_id(s.id)])


def _row(recorded: Recorded, event: _Telling) -> Row:
    match event:
        case DeliveryAttempted():
            tried = _tried("failed", event.attempt, event.attempt.error, event.next_attempt_at)
        case AnnouncementDelivered():
            tried = _tried("delivered", event.attempt, event.attempt.error, None)
        case AnnouncementFailed():
            tried = _tried("given_up", event.attempt, event.reason, None)
        case DeliveryPostponed():
            nothing = (None, None, event.reason, None, None)
            tried = ("postponed", *nothing, event.postponed_at, event.next_attempt_at)
    return (recorded.position, recorded.stream.id, event.event_id, *tried)


def _tried(outcome: str, attempt: Attempt, error: str | None, next_at: datetime | None) -> Row:
    came_of_it = (attempt.attempt, attempt.status, error, attempt.answer, attempt.duration_ms)
    return (outcome, *came_of_it, attempt.attempted_at, next_at)


ATTEMPTS = Projection("attempts_v1", frozenset({"delivery"}), ("delivery_attempts",), apply, forget)
