"""`announcements_v1`: each message that was to be sent, and what came of it."""

from collections.abc import Sequence

from moot.contracts.deliveries import (
    AnnouncementDelivered,
    AnnouncementFailed,
    Attempt,
    DeliveryAttempted,
    DeliveryDue,
    DeliveryPostponed,
    DeliveryRequested,
    DeliveryRetried,
    Endpoint,
    FabricChannel,
)
from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.projector.plain.stream_fold import PlainProjection
from moot.projector.plain.table import Row, Table, canonical

ANNOUNCEMENTS = Table(
    name="announcements",
    columns=(
        "queue_id",
        "event_id",
        "topic_id",
        "endpoint",
        "event_type",
        "status",
        "attempts",
        "last_status",
        "last_error",
        "next_attempt_at",
        "requested_at",
        "settled_at",
        "requested_position",
        "position",
    ),
    key=("queue_id", "event_id"),
    category="delivery",
    stream_column="queue_id",
)


class _Queue:
    """The messages for one endpoint about one topic, by the event that each announces."""

    def __init__(self, stream: StreamName) -> None:
        self._queue_id = stream.id
        self._messages: dict[str, dict[str, object]] = {}
        self._undelivered = 0
        """Open or given up: an operator may have what was given up sent once more."""

    @property
    def is_over(self) -> bool:
        return not self._undelivered

    def add(self, recorded: Recorded) -> Sequence[Row]:
        event, position = recorded.event, recorded.position
        match event:
            case DeliveryRequested():
                self._request(event, position)
            case DeliveryAttempted():
                self._outcome(event.event_id, position, event.attempt, status="retrying")
                self._change(event.event_id, position, next_attempt_at=event.next_attempt_at)
            case DeliveryPostponed():
                self._change(event.event_id, position, next_attempt_at=event.next_attempt_at)
            case DeliveryDue():
                self._change(event.event_id, position, next_attempt_at=None)
            case AnnouncementDelivered():
                self._settle(event.event_id, position, event.attempt, "delivered")
            case AnnouncementFailed():
                self._settle(event.event_id, position, event.attempt, "failed")
                self._change(event.event_id, position, last_error=event.reason)
            case DeliveryRetried():
                again = {"status": "retrying", "settled_at": None, "next_attempt_at": None}
                self._change(event.event_id, position, **again)
            case _:
                pass
        return ()

    def rows(self) -> Sequence[Row]:
        return [ANNOUNCEMENTS.row(message) for message in self._messages.values()]

    def _request(self, event: DeliveryRequested, position: int) -> None:
        message, to = event.announcement, event.endpoint
        if message.event_id in self._messages:
            return
        self._undelivered += 1
        self._messages[message.event_id] = {
            "queue_id": self._queue_id,
            "event_id": message.event_id,
            "topic_id": message.topic_id,
            "endpoint": canonical(_told(to)),
            "event_type": message.event_type,
            "status": "requested",
            "attempts": 0,
            "last_status": None,
            "last_error": None,
            "next_attempt_at": None,
            "requested_at": event.requested_at,
            "settled_at": None,
            "requested_position": position,
            "position": position,
        }

    def _settle(self, event_id: str, position: int, attempt: Attempt, status: str) -> None:
        message = self._messages.get(event_id)
        newly = message is not None and message["status"] != "delivered"
        if newly and status == "delivered":
            self._undelivered -= 1
        self._outcome(event_id, position, attempt, status)
        self._change(event_id, position, settled_at=attempt.attempted_at)

    def _outcome(self, event_id: str, position: int, attempt: Attempt, status: str) -> None:
        self._change(
            event_id,
            position,
            status=status,
            attempts=attempt.attempt,
            last_status=attempt.status,
            last_error=attempt.error,
            next_attempt_at=None,
        )

    def _change(self, event_id: str, position: int, **columns: object) -> None:
        if event_id in self._messages:
            self._messages[event_id] |= {**columns, "position": position}


def _told(to: Endpoint) -> dict[str, object]:
    if isinstance(to, FabricChannel):
        return {"kind": "fabric", "guild_base_url": to.guild_base_url, "channel_id": to.channel_id}
    return {"kind": "webhook", "webhook_id": to.webhook_id}


PLAIN_ANNOUNCEMENTS = PlainProjection(
    name="announcements_v1",
    categories=frozenset({"delivery"}),
    tables=(ANNOUNCEMENTS,),
    fold=_Queue,
    begins=frozenset({DeliveryRequested}),
    changes=frozenset(
        {
            DeliveryAttempted,
            DeliveryPostponed,
            DeliveryDue,
            AnnouncementDelivered,
            AnnouncementFailed,
            DeliveryRetried,
        }
    ),
)
