"""Announcements on their way: one *delivery queue* for each topic and endpoint.

Stream `chronicle.delivery.<queue id>`, queue id = derived from topic id and endpoint. Only the
oldest open request of a queue is attempted, so order holds for each topic and endpoint.
"""

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from moot.contracts.debates import Caller
from moot.contracts.ids import EventId, Position, QueueId, TopicId, WebhookId, derived_id
from moot.contracts.shape import Frozen, Moment, Text

GIVE_UP_AFTER = timedelta(hours=24)


class FabricChannel(Frozen):
    """A channel of a Fabric guild."""

    kind: Literal["fabric"] = "fabric"
    guild_base_url: str
    channel_id: str

    @property
    def address(self) -> str:
        return f"{self.guild_base_url}/api/channels/{self.channel_id}/messages"


class WebhookEndpoint(Frozen):
    """A webhook, wherever it is by the time something is sent: its address may change."""

    kind: Literal["webhook"] = "webhook"
    webhook_id: WebhookId

    @property
    def address(self) -> str:
        return self.webhook_id


Endpoint = Annotated[FabricChannel | WebhookEndpoint, Field(discriminator="kind")]
"""Where a queue's messages go."""


def queue_id(topic_id: TopicId, endpoint: Endpoint) -> QueueId:
    return QueueId(derived_id("delivery", topic_id, endpoint.kind, endpoint.address))


class Announcement(Frozen):
    """One message: `event_id` is the event it announces, and its idempotency key for ever."""

    event_id: EventId
    event_type: str
    topic_id: TopicId
    position: Position
    content: Text
    metadata: dict[str, Any]


class Attempt(Frozen):
    """What came of one post. `status` is None when no answer came; `error` names the fault."""

    attempt: int
    status: int | None
    error: str | None
    answer: Text
    """The first 2 KB of the answer's body."""
    duration_ms: int
    attempted_at: Moment


class DeliveryRequested(Frozen):
    type: ClassVar[str] = "moot.delivery.delivery_requested.v1"
    endpoint: Endpoint
    announcement: Announcement
    requested_at: Moment


class DeliveryAttempted(Frozen):
    """It failed and will be tried again at `next_attempt_at`."""

    type: ClassVar[str] = "moot.delivery.delivery_attempted.v1"
    event_id: EventId
    attempt: Attempt
    next_attempt_at: Moment


class DeliveryPostponed(Frozen):
    """It wasn't attempted: its endpoint has too much to do, or has been failing."""

    type: ClassVar[str] = "moot.delivery.delivery_postponed.v1"
    event_id: EventId
    reason: Text
    postponed_at: Moment
    next_attempt_at: Moment


class DeliveryDue(Frozen):
    """The ticker: the next attempt's time has come."""

    type: ClassVar[str] = "moot.delivery.delivery_due.v1"
    event_id: EventId
    due_at: Moment
    fired_at: Moment


class AnnouncementDelivered(Frozen):
    type: ClassVar[str] = "moot.delivery.announcement_delivered.v1"
    event_id: EventId
    attempt: Attempt


class AnnouncementFailed(Frozen):
    """Given up."""

    type: ClassVar[str] = "moot.delivery.announcement_failed.v1"
    event_id: EventId
    attempt: Attempt
    reason: str


class DeliveryRetried(Frozen):
    """An operator had it sent once more after it was given up, with the key it always had."""

    type: ClassVar[str] = "moot.delivery.delivery_retried.v1"
    event_id: EventId
    reason: Text
    retried_by: str
    retried_at: Moment


DeliveryEvent = (
    DeliveryRequested
    | DeliveryAttempted
    | DeliveryPostponed
    | DeliveryDue
    | AnnouncementDelivered
    | AnnouncementFailed
    | DeliveryRetried
)


class RequestDelivery(Frozen):
    name: Literal["request_delivery"] = "request_delivery"
    by: Caller
    endpoint: Endpoint
    announcement: Announcement


class RecordAttempt(Frozen):
    """What the announcer saw.

    `retry_after_s` is the receiver's wish, `luck` in [0, 1) the jitter, and `give_up_after` how
    long after the request a next attempt may still be. `hopeless` says why no other attempt would
    end otherwise.
    """

    name: Literal["record_attempt"] = "record_attempt"
    by: Caller
    event_id: EventId
    attempt: Attempt
    retry_after_s: float | None = Field(default=None, ge=0, le=1e9)
    luck: float = Field(ge=0, lt=1)
    give_up_after: timedelta = GIVE_UP_AFTER
    hopeless: Text | None = None


class PostponeDelivery(Frozen):
    """The announcer: not now, but after `delay`."""

    name: Literal["postpone_delivery"] = "postpone_delivery"
    by: Caller
    event_id: EventId
    reason: Text
    delay: timedelta = Field(gt=timedelta(0))
    give_up_after: timedelta = GIVE_UP_AFTER


class MakeDeliveryDue(Frozen):
    name: Literal["make_delivery_due"] = "make_delivery_due"
    by: Caller
    event_id: EventId


class RetryDelivery(Frozen):
    """An operator: send what was given up once more."""

    name: Literal["retry_delivery"] = "retry_delivery"
    by: Caller
    event_id: EventId
    reason: Text = ""


DeliveryCommand = Annotated[
    RequestDelivery | RecordAttempt | PostponeDelivery | MakeDeliveryDue | RetryDelivery,
    Field(discriminator="name"),
]
