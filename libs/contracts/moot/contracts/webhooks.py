"""Webhooks: addresses that an operator has announcements sent to, as Standard Webhooks.

All of them are one stream of events, `chronicle.delivery.webhooks`, so that whoever asks which
webhooks there are gets one answer, as of one position. Their secrets are in no event: they are
derived from MOOT_SECRET_KEY, the webhook's id and a version.
"""

from datetime import timedelta
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, HttpUrl, StringConstraints, TypeAdapter

from moot.contracts.debates import Caller
from moot.contracts.ids import HEX_ID, TopicId, WebhookId
from moot.contracts.shape import Frozen, Moment, Text

WEBHOOKS: Final = "webhooks"
"""The id of their stream. Delivery queues have hex ids, so it is no queue's. Never renamed."""

DEFAULT_OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)

_http_url = TypeAdapter(HttpUrl)


def _checked_url(url: str) -> str:
    parsed = _http_url.validate_python(url)
    if not url.isascii() or any(character.isspace() for character in url):
        raise ValueError("a URL has no spaces, and only ASCII characters")
    if parsed.username or parsed.password or parsed.fragment:
        raise ValueError("a webhook's URL has no user, password or fragment")
    return url


def _sorted(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


WebhookUrl = Annotated[Text, StringConstraints(max_length=2048), AfterValidator(_checked_url)]
HexTopicId = Annotated[TopicId, StringConstraints(pattern=HEX_ID)]

Scheme = Literal["v1", "v1a"]
"""How a message is signed: `v1` HMAC-SHA256 with a shared secret, `v1a` Ed25519."""

AnnouncedType = Literal[
    "moot.topic.signup_opened.v1",
    "moot.topic.camps_allocated.v1",
    "moot.topic.topic_cancelled.v1",
    "moot.topic.debate_started.v1",
    "moot.topic.verdict_submitted.v1",
]
"""The event types that are announced."""

EventTypes = Annotated[tuple[AnnouncedType, ...], AfterValidator(_sorted)]
Schemes = Annotated[tuple[Scheme, ...], Field(min_length=1), AfterValidator(_sorted)]


class WebhookTerms(Frozen):
    """What is sent where, and how it is signed."""

    url: WebhookUrl
    event_types: EventTypes = ()
    """None means all that are announced."""
    topic_id: HexTopicId | None = None
    """Only what happens to this topic, private or not."""
    include_private: bool = False
    """Without a topic id: private topics, too."""
    signing: Schemes = ("v1",)


class SecretVersion(Frozen):
    """`fingerprint` says whether what is derived now is what was shown: see `webhook_secrets`."""

    version: int = Field(ge=1)
    fingerprint: str


class WebhookRegistered(Frozen):
    type: ClassVar[str] = "moot.delivery.webhook_registered.v1"
    webhook_id: WebhookId
    terms: WebhookTerms
    secret: SecretVersion
    registered_by: str
    registered_at: Moment


class WebhookChanged(Frozen):
    type: ClassVar[str] = "moot.delivery.webhook_changed.v1"
    webhook_id: WebhookId
    terms: WebhookTerms
    changed_by: str
    changed_at: Moment


class WebhookSecretRotated(Frozen):
    """Messages are signed with the old secret, too, until `overlap_until`."""

    type: ClassVar[str] = "moot.delivery.webhook_secret_rotated.v1"
    webhook_id: WebhookId
    secret: SecretVersion
    overlap_until: Moment
    rotated_by: str
    rotated_at: Moment


class WebhookDisabled(Frozen):
    """Nothing is requested or sent any more; what was requested fails when its turn comes."""

    type: ClassVar[str] = "moot.delivery.webhook_disabled.v1"
    webhook_id: WebhookId
    reason: Text
    disabled_by: str
    disabled_at: Moment


class WebhookEnabled(Frozen):
    type: ClassVar[str] = "moot.delivery.webhook_enabled.v1"
    webhook_id: WebhookId
    enabled_by: str
    enabled_at: Moment


class WebhookRemoved(Frozen):
    type: ClassVar[str] = "moot.delivery.webhook_removed.v1"
    webhook_id: WebhookId
    reason: Text
    removed_by: str
    removed_at: Moment


WebhookEvent = (
    WebhookRegistered
    | WebhookChanged
    | WebhookSecretRotated
    | WebhookDisabled
    | WebhookEnabled
    | WebhookRemoved
)


class RegisterWebhook(Frozen):
    name: Literal["register_webhook"] = "register_webhook"
    by: Caller
    webhook_id: WebhookId
    terms: WebhookTerms
    fingerprint: str
    """Of the secret's first version."""


class ChangeWebhook(Frozen):
    """`terms` None leaves them as they are, `enabled` None too."""

    name: Literal["change_webhook"] = "change_webhook"
    by: Caller
    webhook_id: WebhookId
    terms: WebhookTerms | None = None
    enabled: bool | None = None
    reason: Text = ""
    """Why it is disabled."""


class RotateWebhookSecret(Frozen):
    """Refused (`another-version`) unless `secret` is the version that comes next."""

    name: Literal["rotate_webhook_secret"] = "rotate_webhook_secret"
    by: Caller
    webhook_id: WebhookId
    secret: SecretVersion
    overlap: timedelta = DEFAULT_OVERLAP


class DisableGoneWebhook(Frozen):
    """The announcer: the receiver at `url` said 410 Gone."""

    name: Literal["disable_gone_webhook"] = "disable_gone_webhook"
    by: Caller
    webhook_id: WebhookId
    url: WebhookUrl


class RemoveWebhook(Frozen):
    name: Literal["remove_webhook"] = "remove_webhook"
    by: Caller
    webhook_id: WebhookId
    reason: Text = ""


WebhookCommand = Annotated[
    RegisterWebhook | ChangeWebhook | RotateWebhookSecret | DisableGoneWebhook | RemoveWebhook,
    Field(discriminator="name"),
]
