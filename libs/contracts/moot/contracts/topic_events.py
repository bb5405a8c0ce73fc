"""Every fact in the life of a topic. Stream `chronicle.topic.<topic id>`.

Type names are stored and never renamed. A changed shape is a new type version with an upcaster.
Events that a deadline caused carry when it was due and when it fired.
"""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from moot.contracts.debates import (
    Camp,
    CampSeat,
    TopicTerms,
    Visibility,
    WillingCamps,
)
from moot.contracts.ids import SafeAgentId
from moot.contracts.shape import Frozen, JsonObject, Moment, Text, is_none

Sha256Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class TopicCreated(Frozen):
    type: ClassVar[str] = "moot.topic.topic_created.v1"
    creator: str
    """The creator's auth id, e.g. `agent:alice`."""
    terms: TopicTerms
    rounds: int
    verdict_schema_id: str
    verdict_schema: JsonObject | None = Field(default=None, exclude_if=is_none)
    """What verdicts must match, as it was registered; None, and left out, for what ships."""
    visibility: Visibility
    created_at: Moment


class TopicAmended(Frozen):
    type: ClassVar[str] = "moot.topic.topic_amended.v1"
    before: TopicTerms
    after: TopicTerms
    amended_at: Moment


class VisibilitySet(Frozen):
    type: ClassVar[str] = "moot.topic.visibility_set.v1"
    visibility: Visibility
    set_by: str
    set_at: Moment


class SignupOpened(Frozen):
    type: ClassVar[str] = "moot.topic.signup_opened.v1"
    due_at: Moment
    fired_at: Moment


class DrawCommitted(Frozen):
    """The allocator can't choose another secret after this."""

    type: ClassVar[str] = "moot.topic.draw_committed.v1"
    commitment: Sha256Hex
    algorithm: str
    signups_before: int
    """How many had signed up already: more than 0 means the commitment came late."""
    committed_at: Moment


class SignedUp(Frozen):
    """An agent's first sign-up, or its new willing camps at its old place in the order."""

    type: ClassVar[str] = "moot.topic.signed_up.v1"
    agent_id: SafeAgentId
    willing_camps: WillingCamps
    signed_up_at: Moment


class SignupWithdrawn(Frozen):
    type: ClassVar[str] = "moot.topic.signup_withdrawn.v1"
    agent_id: SafeAgentId
    withdrawn_at: Moment


class SignupClosed(Frozen):
    type: ClassVar[str] = "moot.topic.signup_closed.v1"
    due_at: Moment
    fired_at: Moment


class DrawEvidence(Frozen):
    """What anyone needs to recompute a draw; see docs/allocation.md."""

    algorithm: str
    secret: Sha256Hex
    seed: Sha256Hex
    signups_hash: Sha256Hex


class CampsAllocated(Frozen):
    type: ClassVar[str] = "moot.topic.camps_allocated.v1"
    camps: tuple[CampSeat, ...]
    """Three seats in the order pro, con, judge."""
    backfilled: tuple[Camp, ...]
    """The camps whose agent was drawn without having volunteered for it."""
    draw: DrawEvidence
    allocated_at: Moment


class TopicCancelled(Frozen):
    type: ClassVar[str] = "moot.topic.topic_cancelled.v1"
    reason: Text
    cancelled_by: str
    draw: DrawEvidence | None = None
    """Where the allocator cancelled: what it drew from."""
    cancelled_at: Moment


class DebateStarted(Frozen):
    """Opens round 0, until `closes_at`."""

    type: ClassVar[str] = "moot.topic.debate_started.v1"
    closes_at: Moment
    due_at: Moment
    fired_at: Moment


class RoundOpened(Frozen):
    """Opens round `round_no` (from 1) and closes the one before it."""

    type: ClassVar[str] = "moot.topic.round_opened.v1"
    round_no: int
    closes_at: Moment
    due_at: Moment
    fired_at: Moment


class ArgumentPosted(Frozen):
    """The argument's id is this event's id."""

    type: ClassVar[str] = "moot.topic.argument_posted.v1"
    agent_id: SafeAgentId
    camp: Camp
    round_no: int
    content: Text
    posted_at: Moment


class DebateEnded(Frozen):
    type: ClassVar[str] = "moot.topic.debate_ended.v1"
    verdict_due_at: Moment
    due_at: Moment
    fired_at: Moment


class VerdictSubmitted(Frozen):
    type: ClassVar[str] = "moot.topic.verdict_submitted.v1"
    judge_id: SafeAgentId
    verdict: dict[str, Any]
    rationale: Text
    token_cost: int | None
    submitted_at: Moment


class VerdictOverdue(Frozen):
    type: ClassVar[str] = "moot.topic.verdict_overdue.v1"
    due_at: Moment
    fired_at: Moment


class JudgeReplaced(Frozen):
    type: ClassVar[str] = "moot.topic.judge_replaced.v1"
    previous_judge_id: SafeAgentId
    judge_id: SafeAgentId
    verdict_due_at: Moment
    replaced_by: str
    replaced_at: Moment


TopicEvent = (
    TopicCreated
    | TopicAmended
    | VisibilitySet
    | SignupOpened
    | DrawCommitted
    | SignedUp
    | SignupWithdrawn
    | SignupClosed
    | CampsAllocated
    | TopicCancelled
    | DebateStarted
    | RoundOpened
    | ArgumentPosted
    | DebateEnded
    | VerdictSubmitted
    | VerdictOverdue
    | JudgeReplaced
)
