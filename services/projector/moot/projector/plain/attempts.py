"""`attempts_v1`: a row for each attempt and each postponement, which nothing changes again."""

from collections.abc import Sequence

from moot.contracts.deliveries import (
    AnnouncementDelivered,
    AnnouncementFailed,
    DeliveryAttempted,
    DeliveryPostponed,
)
from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.projector.plain.stream_fold import PlainProjection
from moot.projector.plain.table import Row, Table

ATTEMPTS = Table(
    name="delivery_attempts",
    columns=(
        "position",
        "queue_id",
        "event_id",
        "outcome",
        "attempt",
        "status",
        "error",
        "answer",
        "duration_ms",
        "at",
        "next_attempt_at",
    ),
    key=("position",),
    category="delivery",
    stream_column="queue_id",
)

_OUTCOMES = {
    DeliveryAttempted: "failed",
    AnnouncementDelivered: "delivered",
    AnnouncementFailed: "given_up",
}


class _Attempts:
    is_over = True
    """A row is final as soon as it is there, so nothing is kept of a queue."""

    def __init__(self, stream: StreamName) -> None:
        self._queue_id = stream.id

    def add(self, recorded: Recorded) -> Sequence[Row]:
        event = recorded.event
        values: dict[str, object] = {**dict.fromkeys(ATTEMPTS.columns)}
        values |= {"position": recorded.position, "queue_id": self._queue_id}
        match event:
            case DeliveryPostponed():
                values |= {"outcome": "postponed", "error": event.reason, "at": event.postponed_at}
            case DeliveryAttempted() | AnnouncementDelivered() | AnnouncementFailed():
                values |= event.attempt.model_dump(exclude={"attempted_at"})
                values |= {"outcome": _OUTCOMES[type(event)], "at": event.attempt.attempted_at}
            case _:
                return ()
        if isinstance(event, AnnouncementFailed):
            values["error"] = event.reason
        if isinstance(event, DeliveryAttempted | DeliveryPostponed):
            values["next_attempt_at"] = event.next_attempt_at
        return [ATTEMPTS.row(values | {"event_id": event.event_id})]

    def rows(self) -> Sequence[Row]:
        return ()


PLAIN_ATTEMPTS = PlainProjection(
    name="attempts_v1",
    categories=frozenset({"delivery"}),
    tables=(ATTEMPTS,),
    fold=_Attempts,
    begins=frozenset({*_OUTCOMES, DeliveryPostponed}),
)
