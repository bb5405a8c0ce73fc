"""What a topic is at each stage: one frozen type a stage, so that a wrong state can't be said."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from moot.contracts.debates import Camp, CampSeat, Schedule, Signup, Stage, TopicTerms, Visibility
from moot.contracts.ids import AgentId
from moot.contracts.topic_events import DrawCommitted, DrawEvidence, VerdictSubmitted
from moot.domain.deadlines import TopicTimetable
from moot.domain.verdict_schemas import VerdictSchema


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What holds at every stage. `creator` is an auth id."""

    creator: str
    terms: TopicTerms
    rounds: int
    verdict_schema: VerdictSchema
    visibility: Visibility
    created_at: datetime

    @property
    def verdict_schema_id(self) -> str:
        return self.verdict_schema.id

    @property
    def schedule(self) -> Schedule:
        return self.terms.schedule


@dataclass(frozen=True, slots=True)
class TimedSignup:
    signup: Signup
    signed_up_at: datetime


Signups = Mapping[AgentId, TimedSignup]
"""By agent, in the order of signing up."""

NO_SIGNUPS: Signups = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CurrentRound:
    round_no: int
    opened_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class Unborn:
    """Nothing has been proposed under this id."""


@dataclass(frozen=True, slots=True)
class Created:
    facts: TopicFacts


@dataclass(frozen=True, slots=True)
class SignupOpen:
    facts: TopicFacts
    signups: Signups
    commitment: DrawCommitted | None


@dataclass(frozen=True, slots=True)
class Allocating:
    facts: TopicFacts
    signups: Signups
    commitment: DrawCommitted | None


@dataclass(frozen=True, slots=True)
class SignupClosed:
    facts: TopicFacts
    signups: Signups
    camps: tuple[CampSeat, ...]
    draw: DrawEvidence


@dataclass(frozen=True, slots=True)
class Debating:
    facts: TopicFacts
    signups: Signups
    camps: tuple[CampSeat, ...]
    draw: DrawEvidence
    round: CurrentRound


@dataclass(frozen=True, slots=True)
class Judging:
    facts: TopicFacts
    signups: Signups
    camps: tuple[CampSeat, ...]
    draw: DrawEvidence
    verdict_due_at: datetime
    verdict_time: timedelta
    """How long a judge has: what a replaced judge gets again."""
    overdue: bool


@dataclass(frozen=True, slots=True)
class Completed:
    facts: TopicFacts
    signups: Signups
    camps: tuple[CampSeat, ...]
    draw: DrawEvidence
    verdict_due_at: datetime
    verdict: VerdictSubmitted


@dataclass(frozen=True, slots=True)
class Cancelled:
    facts: TopicFacts
    signups: Signups
    camps: tuple[CampSeat, ...]
    """Empty where the topic was cancelled before the draw."""
    draw: DrawEvidence | None
    verdict_due_at: datetime
    reason: str


Seated = SignupClosed | Debating | Judging | Completed
"""The stages in which three camps are sure to be there."""

Born = Created | SignupOpen | Allocating | Seated | Cancelled
TopicState = Unborn | Born


def stage_of(state: Born) -> Stage:
    return _STAGES[type(state)]


_STAGES: Mapping[type[Born], Stage] = {
    Created: Stage.CREATED,
    SignupOpen: Stage.SIGNUP_OPEN,
    Allocating: Stage.ALLOCATING,
    SignupClosed: Stage.SIGNUP_CLOSED,
    Debating: Stage.DEBATING,
    Judging: Stage.JUDGING,
    Completed: Stage.COMPLETED,
    Cancelled: Stage.CANCELLED,
}


def signups_of(state: Born) -> Signups:
    return NO_SIGNUPS if isinstance(state, Created) else state.signups


def camps_of(state: Born) -> tuple[CampSeat, ...]:
    """Return the three seats in the order pro, con, judge, or none before the draw."""
    return () if isinstance(state, Created | SignupOpen | Allocating) else state.camps


def camp_of(state: Born, agent_id: AgentId | None) -> Camp | None:
    return next((seat.camp for seat in camps_of(state) if seat.agent_id == agent_id), None)


def verdict_due_at(state: Born) -> datetime:
    if isinstance(state, Judging | Completed | Cancelled):
        return state.verdict_due_at
    return state.facts.schedule.verdict_deadline


def timetable_of(state: Born) -> TopicTimetable:
    """Return what the state's next deadline follows from."""
    waiting = isinstance(state, Judging) and not state.overdue
    return TopicTimetable(
        stage=stage_of(state),
        schedule=state.facts.schedule,
        rounds=state.facts.rounds,
        round_no=state.round.round_no if isinstance(state, Debating) else 0,
        verdict_due_at=verdict_due_at(state) if waiting else None,
    )
