"""A topic's decider: who may ask what, in which order it is checked, and which rule answers.

The order is the same for every command: hidden, obeyed, who, stage, content. The rules are in
`topic_terms` (proposing, amending, visibility, cancelling), `topic_signups` (sign-up and the
draw), `topic_stage_changes` (what the ticker fires) and `topic_debate` (arguments, the verdict,
the judge). When what is due is said in `deadlines`.
"""

from datetime import datetime
from typing import assert_never

from moot.contracts.subjects import Category
from moot.contracts.topic_commands import (
    AllocateCamps,
    AmendTopic,
    CancelTopic,
    CloseSignup,
    CommitDraw,
    EndDebate,
    FlagOverdue,
    OpenRound,
    OpenSignup,
    PostArgument,
    ProposeTopic,
    ReplaceJudge,
    SetVisibility,
    SignUp,
    StartDebate,
    SubmitVerdict,
    TopicCommand,
    WithdrawSignup,
)
from moot.contracts.topic_events import TopicEvent
from moot.domain.access_rules import may_read
from moot.domain.refusal import Refused
from moot.domain.topic_debate import post_argument, replace_judge, submit_verdict
from moot.domain.topic_fold import evolve
from moot.domain.topic_signups import allocate_camps, commit_draw, sign_up, withdraw_signup
from moot.domain.topic_stage_changes import fire
from moot.domain.topic_stages import Born, TopicState, Unborn
from moot.domain.topic_terms import amend_topic, cancel_topic, propose_topic, set_visibility

__all__ = ["category", "decide", "evolve", "initial"]

category: Category = "topic"
initial: TopicState = Unborn()


def decide(state: TopicState, command: TopicCommand, now: datetime) -> list[TopicEvent] | Refused:
    """Return the event that `command` leads to, none if it is obeyed already, or a refusal."""
    if isinstance(state, Unborn):
        if isinstance(command, ProposeTopic):
            return propose_topic(command, now)
        return _not_found()
    facts = state.facts
    if not may_read(facts.visibility, facts.creator, facts.terms.invited_agents, command.by):
        return _not_found()
    return _decide(state, command, now)


def _not_found() -> Refused:
    return Refused("topic-not-found", "there is no such topic")


def _decide(state: Born, command: TopicCommand, now: datetime) -> list[TopicEvent] | Refused:
    match command:
        case ProposeTopic():
            return Refused("topic-exists", "a topic was proposed under this id already")
        case AmendTopic():
            return amend_topic(state, command, now)
        case SetVisibility():
            return set_visibility(state, command, now)
        case CancelTopic():
            return cancel_topic(state, command, now)
        case ReplaceJudge():
            return replace_judge(state, command, now)
        case SignUp():
            return sign_up(state, command, now)
        case WithdrawSignup():
            return withdraw_signup(state, command, now)
        case PostArgument():
            return post_argument(state, command, now)
        case SubmitVerdict():
            return submit_verdict(state, command, now)
        case CommitDraw():
            return commit_draw(state, command, now)
        case AllocateCamps():
            return allocate_camps(state, command, now)
        case (
            OpenSignup() | CloseSignup() | StartDebate() | OpenRound() | EndDebate() | FlagOverdue()
        ):
            return fire(state, command, now)
        case _:
            assert_never(command)
