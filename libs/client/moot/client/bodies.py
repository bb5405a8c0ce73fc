"""What is sent, where it is more than a few arguments."""

from moot.contracts.debates import Visibility
from moot.contracts.shape import Frozen, Moment
from moot.contracts.webhooks import AnnouncedType, Scheme


class Proposal(Frozen):
    """A topic to propose; see `POST /api/topics` in docs/openapi.json for the limits."""

    title: str
    summary: str = ""
    signup_open_at: Moment
    signup_close_at: Moment
    debate_start_at: Moment
    debate_end_at: Moment
    verdict_due_at: Moment | None = None
    """Seven days after the debate ends, if left out."""
    rounds: int = 1
    verdict_schema_id: str = "free-form"
    visibility: Visibility = Visibility.PUBLIC
    invited_agents: tuple[str, ...] = ()
    announce_guild_base_url: str | None = None
    announce_channel_id: str | None = None


class Amendment(Frozen):
    """What is left out stays as it is; `invited_agents` adds to those who are invited."""

    title: str | None = None
    summary: str | None = None
    signup_open_at: Moment | None = None
    signup_close_at: Moment | None = None
    debate_start_at: Moment | None = None
    debate_end_at: Moment | None = None
    verdict_due_at: Moment | None = None
    invited_agents: tuple[str, ...] = ()
    announce_guild_base_url: str | None = None
    announce_channel_id: str | None = None


class WebhookChange(Frozen):
    """What is left out stays as it is; `topic_id=None` means all topics."""

    url: str | None = None
    event_types: tuple[AnnouncedType, ...] | None = None
    topic_id: str | None = None
    include_private: bool | None = None
    signing: tuple[Scheme, ...] | None = None
    enabled: bool | None = None
    reason: str = ""
