"""What each event makes of a topic. Never raises on history: what can't be is passed over."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from moot.contracts.debates import Camp, CampSeat, Signup
from moot.contracts.ids import AgentId
from moot.contracts.topic_events import (
    ArgumentPosted,
    CampsAllocated,
    DebateEnded,
    DebateStarted,
    DrawCommitted,
    JudgeReplaced,
    RoundOpened,
    SignedUp,
    SignupClosed,
    SignupOpened,
    SignupWithdrawn,
    TopicAmended,
    TopicCancelled,
    TopicCreated,
    TopicEvent,
    VerdictOverdue,
    VerdictSubmitted,
    VisibilitySet,
)
from moot.domain.topic_stages import (
    NO_SIGNUPS,
    Allocating,
    Born,
    Cancelled,
    Completed,
    Created,
    CurrentRound,
    Debating,
    Judging,
    SignupOpen,
    Signups,
    TimedSignup,
    TopicFacts,
    TopicState,
    Unborn,
    camps_of,
    signups_of,
    verdict_due_at,
)
from moot.domain.topic_stages import (
    SignupClosed as SignupClosedStage,
)
from moot.domain.verdict_schemas import BUILT_IN, VerdictSchema


def evolve(state: TopicState, event: TopicEvent) -> TopicState:
    if isinstance(event, TopicCreated):
        return _created(event)
    if isinstance(state, Unborn):
        return state
    return _evolve(state, event)


def _created(event: TopicCreated) -> Created:
    return Created(
        TopicFacts(
            creator=event.creator,
            terms=event.terms,
            rounds=event.rounds,
            verdict_schema=verdict_schema_of(event),
            visibility=event.visibility,
            created_at=event.created_at,
        )
    )


def verdict_schema_of(event: TopicCreated) -> VerdictSchema:
    """Return the schema that the topic is judged by: its own, or one that ships with Moot."""
    schema_id = event.verdict_schema_id
    if event.verdict_schema is not None:
        return VerdictSchema(schema_id, schema_id, event.verdict_schema)
    # History is never refused: a schema that nobody knows is one that nothing matches.
    return BUILT_IN.get(schema_id) or VerdictSchema(schema_id, schema_id, {"not": {}})


def _evolve(
    state: Born,
    event: TopicAmended
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
    | JudgeReplaced,
) -> Born:
    match event:
        case TopicAmended():
            return replace(state, facts=replace(state.facts, terms=event.after))
        case VisibilitySet():
            return replace(state, facts=replace(state.facts, visibility=event.visibility))
        case SignupOpened():
            return SignupOpen(state.facts, NO_SIGNUPS, None)
        case DrawCommitted():
            return _committed(state, event)
        case SignedUp():
            return _signed_up(state, event)
        case SignupWithdrawn():
            return _withdrawn(state, event)
        case SignupClosed():
            return _closed(state)
        case CampsAllocated():
            return SignupClosedStage(state.facts, signups_of(state), event.camps, event.draw)
        case TopicCancelled():
            return _cancelled(state, event)
        case DebateStarted():
            return _started(state, event)
        case RoundOpened():
            return _round_opened(state, event)
        case ArgumentPosted():
            return state
        case DebateEnded():
            return _ended(state, event)
        case VerdictSubmitted():
            return _completed(state, event)
        case VerdictOverdue():
            return replace(state, overdue=True) if isinstance(state, Judging) else state
        case JudgeReplaced():
            return _judge_replaced(state, event)
        case _:
            assert_never(event)


def _committed(state: Born, event: DrawCommitted) -> Born:
    if isinstance(state, SignupOpen | Allocating):
        return replace(state, commitment=event)
    return state


def _signed_up(state: Born, event: SignedUp) -> Born:
    if not isinstance(state, SignupOpen):
        return state
    earlier = state.signups.get(event.agent_id)
    signed_up_at = event.signed_up_at if earlier is None else earlier.signed_up_at
    signup = Signup(agent_id=event.agent_id, willing_camps=event.willing_camps)
    return replace(
        state, signups=_frozen({**state.signups, event.agent_id: TimedSignup(signup, signed_up_at)})
    )


def _withdrawn(state: Born, event: SignupWithdrawn) -> Born:
    if not isinstance(state, SignupOpen):
        return state
    left = {agent: signup for agent, signup in state.signups.items() if agent != event.agent_id}
    return replace(state, signups=_frozen(left))


def _frozen(signups: Mapping[AgentId, TimedSignup]) -> Signups:
    return MappingProxyType(signups)


def _closed(state: Born) -> Born:
    if not isinstance(state, SignupOpen):
        return state
    return Allocating(state.facts, state.signups, state.commitment)


def _cancelled(state: Born, event: TopicCancelled) -> Born:
    drawn = isinstance(state, SignupClosedStage | Debating | Judging | Completed)
    return Cancelled(
        facts=state.facts,
        signups=signups_of(state),
        camps=camps_of(state),
        draw=state.draw if drawn else event.draw,
        verdict_due_at=verdict_due_at(state),
        reason=event.reason,
    )


def _started(state: Born, event: DebateStarted) -> Born:
    if not isinstance(state, SignupClosedStage):
        return state
    opening = CurrentRound(0, event.fired_at, event.closes_at)
    return Debating(state.facts, state.signups, state.camps, state.draw, opening)


def _round_opened(state: Born, event: RoundOpened) -> Born:
    if not isinstance(state, Debating):
        return state
    return replace(state, round=CurrentRound(event.round_no, event.fired_at, event.closes_at))


def _ended(state: Born, event: DebateEnded) -> Born:
    if not isinstance(state, Debating):
        return state
    return Judging(
        facts=state.facts,
        signups=state.signups,
        camps=state.camps,
        draw=state.draw,
        verdict_due_at=event.verdict_due_at,
        verdict_time=event.verdict_due_at - event.due_at,
        overdue=False,
    )


def _completed(state: Born, event: VerdictSubmitted) -> Born:
    if not isinstance(state, Judging):
        return state
    return Completed(
        state.facts, state.signups, state.camps, state.draw, state.verdict_due_at, event
    )


def _judge_replaced(state: Born, event: JudgeReplaced) -> Born:
    if not isinstance(state, Judging):
        return state
    others = tuple(seat for seat in state.camps if seat.camp is not Camp.JUDGE)
    judge = CampSeat(camp=Camp.JUDGE, agent_id=event.judge_id)
    return replace(
        state, camps=(*others, judge), verdict_due_at=event.verdict_due_at, overdue=False
    )
