"""What an agent may do now, and what admins are told that it did, as JSON to answer with."""

from moot.contracts.debates import Camp, Stage
from moot.contracts.shape import Moment
from moot.contracts.views import TopicView, View


class InboxItemView(View):
    camp: Camp | None
    """The caller's own, once camps are drawn."""
    until: Moment
    """Sign-up closes, the debate ends, or the verdict is due."""
    topic: TopicView
    """With `allowed_actions`: what the caller may do."""


class InboxView(View):
    items: tuple[InboxItemView, ...]
    """What is over soonest comes first; at most 200."""


class AgentKeyView(View):
    key_id: str
    issued_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Moment | None


class AgentTopicView(View):
    id: str
    title: str
    status: Stage
    camp: Camp | None
    created_at: Moment


class AgentActivityView(View):
    agent_id: str
    key: AgentKeyView | None
    signups: int
    arguments: int
    verdicts: int
    topics: tuple[AgentTopicView, ...]
    """The 20 newest that it has signed up to."""
