"""An example of every event and command about deliveries and webhooks."""

from datetime import UTC, datetime, timedelta

from moot.contracts.catalogue import Command, Event
from moot.contracts.debates import ADMIN, Caller
from moot.contracts.deliveries import (
    Announcement,
    AnnouncementDelivered,
    AnnouncementFailed,
    Attempt,
    DeliveryAttempted,
    DeliveryDue,
    DeliveryPostponed,
    DeliveryRequested,
    DeliveryRetried,
    FabricChannel,
    MakeDeliveryDue,
    PostponeDelivery,
    RecordAttempt,
    RequestDelivery,
    RetryDelivery,
)
from moot.contracts.ids import EventId, Position, TopicId, WebhookId
from moot.contracts.webhooks import (
    ChangeWebhook,
    DisableGoneWebhook,
    RegisterWebhook,
    RemoveWebhook,
    RotateWebhookSecret,
    SecretVersion,
    WebhookChanged,
    WebhookDisabled,
    WebhookEnabled,
    WebhookRegistered,
    WebhookRemoved,
    WebhookSecretRotated,
    WebhookTerms,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TOPIC_ID = TopicId("0197a3c46f0a7d3e8b5c2f1e9d8c7b6a")
EVENT_ID = EventId("5d0b8f0c1e2a5b3c9d4e6f7a8b9c0d1e")
_WEBHOOK_ID = WebhookId("7c1f4f0e5d2a5c3b8e6d9a0b1c2d3e4f")
_TICKER = Caller.service("ticker")
_ANNOUNCER = Caller.service("announcer")
_ENDPOINT = FabricChannel(guild_base_url="https://guild.example", channel_id="announcements")
_ANNOUNCEMENT = Announcement(
    event_id=EVENT_ID,
    event_type="moot.topic.signup_opened.v1",
    topic_id=TOPIC_ID,
    position=Position(42),
    content="**Ban plastic water bottles**\nSign-up is open.",
    metadata={"topic_id": TOPIC_ID},
)
_WEBHOOK_TERMS = WebhookTerms(
    url="https://receiver.example/moot",
    event_types=("moot.topic.verdict_submitted.v1",),
    signing=("v1", "v1a"),
)


def _attempt(number: int, status: int | None, error: str | None, answer: str) -> Attempt:
    return Attempt(
        attempt=number,
        status=status,
        error=error,
        answer=answer,
        duration_ms=12,
        attempted_at=NOON,
    )


DELIVERY_EVENTS: tuple[Event, ...] = (
    DeliveryRequested(endpoint=_ENDPOINT, announcement=_ANNOUNCEMENT, requested_at=NOON),
    DeliveryAttempted(
        event_id=EVENT_ID,
        attempt=_attempt(1, 503, None, "come back later"),
        next_attempt_at=NOON + timedelta(seconds=2),
    ),
    DeliveryDue(event_id=EVENT_ID, due_at=NOON, fired_at=NOON),
    AnnouncementDelivered(
        event_id=EVENT_ID, attempt=_attempt(2, 200, None, '{"messageId":"m1","seq":1}')
    ),
    AnnouncementFailed(
        event_id=EVENT_ID, attempt=_attempt(1, 404, None, ""), reason="refused with 404"
    ),
    DeliveryPostponed(
        event_id=EVENT_ID,
        reason="the endpoint has been failing",
        postponed_at=NOON,
        next_attempt_at=NOON + timedelta(seconds=30),
    ),
    DeliveryRetried(
        event_id=EVENT_ID,
        reason="the channel is back",
        retried_by="admin:eve",
        retried_at=NOON,
    ),
)

WEBHOOK_EVENTS: tuple[Event, ...] = (
    WebhookRegistered(
        webhook_id=_WEBHOOK_ID,
        terms=_WEBHOOK_TERMS,
        secret=SecretVersion(version=1, fingerprint="77" * 8),
        registered_by="admin:eve",
        registered_at=NOON,
    ),
    WebhookChanged(
        webhook_id=_WEBHOOK_ID,
        terms=_WEBHOOK_TERMS.model_copy(update={"include_private": True}),
        changed_by="admin:eve",
        changed_at=NOON,
    ),
    WebhookSecretRotated(
        webhook_id=_WEBHOOK_ID,
        secret=SecretVersion(version=2, fingerprint="88" * 8),
        overlap_until=NOON + timedelta(days=1),
        rotated_by="admin:eve",
        rotated_at=NOON,
    ),
    WebhookDisabled(
        webhook_id=_WEBHOOK_ID,
        reason="the receiver answered 410 Gone",
        disabled_by="service:announcer",
        disabled_at=NOON,
    ),
    WebhookEnabled(webhook_id=_WEBHOOK_ID, enabled_by="admin:eve", enabled_at=NOON),
    WebhookRemoved(
        webhook_id=_WEBHOOK_ID, reason="not used", removed_by="admin:eve", removed_at=NOON
    ),
)

DELIVERY_COMMANDS: tuple[Command, ...] = (
    RequestDelivery(by=_ANNOUNCER, endpoint=_ENDPOINT, announcement=_ANNOUNCEMENT),
    RecordAttempt(
        by=_ANNOUNCER,
        event_id=EVENT_ID,
        attempt=_attempt(1, 503, None, "come back later"),
        retry_after_s=2,
        luck=0.5,
    ),
    PostponeDelivery(
        by=_ANNOUNCER,
        event_id=EVENT_ID,
        reason="the endpoint has been failing",
        delay=timedelta(seconds=30),
    ),
    MakeDeliveryDue(by=_TICKER, event_id=EVENT_ID),
    RetryDelivery(by=ADMIN, event_id=EVENT_ID, reason="the channel is back"),
    RegisterWebhook(by=ADMIN, webhook_id=_WEBHOOK_ID, terms=_WEBHOOK_TERMS, fingerprint="77" * 8),
    ChangeWebhook(by=ADMIN, webhook_id=_WEBHOOK_ID, terms=_WEBHOOK_TERMS, enabled=True),
    RotateWebhookSecret(
        by=ADMIN,
        webhook_id=_WEBHOOK_ID,
        secret=SecretVersion(version=2, fingerprint="88" * 8),
    ),
    DisableGoneWebhook(by=_ANNOUNCER, webhook_id=_WEBHOOK_ID, url=_WEBHOOK_TERMS.url),
    RemoveWebhook(by=ADMIN, webhook_id=_WEBHOOK_ID, reason="not used"),
)
