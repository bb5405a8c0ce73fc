"""Everything that can be asked of a topic. `by` is who asks; `moot.domain.topic` decides."""

from typing import Annotated, Literal

from pydantic import Field

from moot.contracts.debates import (
    MAX_ROUNDS,
    AnnounceTarget,
    Caller,
    Schedule,
    Visibility,
    WillingCamps,
)
from moot.contracts.ids import SafeAgentId
from moot.contracts.shape import Frozen, JsonObject, Moment, Text

MAX_TOKEN_COST = 2**53 - 1
"""The largest integer that every JSON reader keeps exact."""


class ProposeTopic(Frozen):
    name: Literal["propose_topic"] = "propose_topic"
    by: Caller
    title: Text
    summary: Text = ""
    schedule: Schedule
    rounds: int = Field(default=1, ge=1, le=MAX_ROUNDS)
    verdict_schema_id: str = "free-form"
    verdict_schema: JsonObject | None = None
    """What is registered under that id; None for what ships with Moot."""
    visibility: Visibility = Visibility.PUBLIC
    invited_agents: tuple[SafeAgentId, ...] = ()
    announce_to: AnnounceTarget | None = None


class AmendTopic(Frozen):
    """What is left out (None) stays as it is. `invited_agents` adds, never removes."""

    name: Literal["amend_topic"] = "amend_topic"
    by: Caller
    title: Text | None = None
    summary: Text | None = None
    signup_open_at: Moment | None = None
    signup_close_at: Moment | None = None
    debate_start_at: Moment | None = None
    debate_end_at: Moment | None = None
    verdict_due_at: Moment | None = None
    invited_agents: tuple[SafeAgentId, ...] = ()
    announce_to: AnnounceTarget | None = None


class SetVisibility(Frozen):
    name: Literal["set_visibility"] = "set_visibility"
    by: Caller
    visibility: Visibility


class CancelTopic(Frozen):
    name: Literal["cancel_topic"] = "cancel_topic"
    by: Caller
    reason: Text


class ReplaceJudge(Frozen):
    name: Literal["replace_judge"] = "replace_judge"
    by: Caller
    agent_id: SafeAgentId


class SignUp(Frozen):
    name: Literal["sign_up"] = "sign_up"
    by: Caller
    willing_camps: WillingCamps


class WithdrawSignup(Frozen):
    name: Literal["withdraw_signup"] = "withdraw_signup"
    by: Caller


class PostArgument(Frozen):
    name: Literal["post_argument"] = "post_argument"
    by: Caller
    content: Text


class SubmitVerdict(Frozen):
    name: Literal["submit_verdict"] = "submit_verdict"
    by: Caller
    verdict: JsonObject
    rationale: Text
    token_cost: int | None = Field(default=None, ge=0, le=MAX_TOKEN_COST)


class CommitDraw(Frozen):
    name: Literal["commit_draw"] = "commit_draw"
    by: Caller
    commitment: str


class AllocateCamps(Frozen):
    """`secret` is what was committed to, 64 hex digits."""

    name: Literal["allocate_camps"] = "allocate_camps"
    by: Caller
    secret: str


class OpenSignup(Frozen):
    name: Literal["open_signup"] = "open_signup"
    by: Caller


class CloseSignup(Frozen):
    name: Literal["close_signup"] = "close_signup"
    by: Caller


class StartDebate(Frozen):
    name: Literal["start_debate"] = "start_debate"
    by: Caller


class OpenRound(Frozen):
    name: Literal["open_round"] = "open_round"
    by: Caller
    round_no: int = Field(ge=1, le=MAX_ROUNDS - 1)


class EndDebate(Frozen):
    name: Literal["end_debate"] = "end_debate"
    by: Caller


class FlagOverdue(Frozen):
    name: Literal["flag_overdue"] = "flag_overdue"
    by: Caller


TopicCommand = Annotated[
    ProposeTopic
    | AmendTopic
    | SetVisibility
    | CancelTopic
    | ReplaceJudge
    | SignUp
    | WithdrawSignup
    | PostArgument
    | SubmitVerdict
    | CommitDraw
    | AllocateCamps
    | OpenSignup
    | CloseSignup
    | StartDebate
    | OpenRound
    | EndDebate
    | FlagOverdue,
    Field(discriminator="name"),
]
