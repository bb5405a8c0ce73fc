"""JSON that the API answers with about announcements and webhooks; see `moot.contracts.views`."""

from typing import Literal

from moot.contracts.shape import JsonObject, Moment
from moot.contracts.views import View
from moot.contracts.webhooks import AnnouncedType, Scheme


class AttemptView(View):
    outcome: Literal["failed", "postponed", "delivered", "given_up"]
    attempt: int | None
    """Counts posts; a postponement isn't one."""
    status: int | None
    error: str | None
    answer: str | None
    """The first 2 KB of what the receiver answered."""
    duration_ms: int | None
    at: Moment
    next_attempt_at: Moment | None


class AnnouncementView(View):
    delivery_id: str
    """`<queue id>/<event id>`."""
    event_id: str
    """The event that is announced; also the message's idempotency key."""
    event_type: str
    status: str
    attempts: int
    last_status: int | None
    last_error: str | None
    next_attempt_at: Moment | None
    requested_at: Moment
    settled_at: Moment | None
    position: int
    endpoint: JsonObject | None = None
    """For admins: where it goes."""
    history: tuple[AttemptView, ...] = ()
    """For admins: each attempt, and each time that it was left for later."""


class RetriedView(View):
    delivery_id: str
    """`<queue id>/<event id>`, as GET /api/announcements has it."""
    status: Literal["retrying"] = "retrying"


class OldSecretView(View):
    version: int
    signs_until: Moment


class WebhookView(View):
    id: str
    url: str
    event_types: tuple[AnnouncedType, ...]
    """None: all that are announced."""
    topic_id: str | None
    include_private: bool
    signing: tuple[Scheme, ...]
    enabled: bool
    disabled_reason: str | None
    secret_version: int
    old_secrets: tuple[OldSecretView, ...]
    """Those that a rotation has replaced, the newest first."""
    public_key: str | None
    """For `v1a`: `whpk_…`."""
    registered_at: Moment


class WebhookWithSecretView(WebhookView):
    secret: str
    """For `v1`: `whsec_…`. Shown this once."""
