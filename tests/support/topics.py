"""Topics to test with: a schedule, its stages as histories, and given · when · then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any, Self

from moot.contracts.debates import ADMIN, Caller, Schedule, Stage
from moot.contracts.topic_commands import (
    AllocateCamps,
    CancelTopic,
    CloseSignup,
    CommitDraw,
    EndDebate,
    OpenSignup,
    ProposeTopic,
    SignUp,
    StartDebate,
    SubmitVerdict,
    TopicCommand,
)
from moot.contracts.topic_events import TopicEvent
from moot.domain import topic
from moot.domain.deadlines import Deadline, next_deadline
from moot.domain.draw import commitment, draw_secret
from moot.domain.refusal import Refused
from moot.domain.topic_stages import Born, TopicState, Unborn, camps_of, timetable_of

MICROSECOND = timedelta(microseconds=1)
NOON = datetime(2036, 11, 21, 12, tzinfo=UTC)
"""So far ahead that no real clock makes a topic's times due while a test runs."""
SCHEDULE = Schedule(
    signup_open_at=NOON + timedelta(hours=1),
    signup_close_at=NOON + timedelta(hours=2),
    debate_start_at=NOON + timedelta(hours=3),
    debate_end_at=NOON + timedelta(hours=6),
)
CREATOR = Caller.agent("creator")
TICKER = Caller.service("ticker")
ALLOCATOR = Caller.service("allocator")
OUTSIDER = Caller.agent("outsider")
DEBATERS = (Caller.agent("ann"), Caller.agent("bob"), Caller.agent("cyd"), Caller.agent("dee"))
SECRET = draw_secret(b"a draw key", "0" * 32)


@dataclass(frozen=True)
class Given:
    """A topic after `history`."""

    history: tuple[TopicEvent, ...] = ()

    @property
    def state(self) -> TopicState:
        return reduce(topic.evolve, self.history, topic.initial)

    @property
    def born(self) -> Born:
        """The state of a topic that has been proposed."""
        state = self.state
        assert not isinstance(state, Unborn)
        return state

    @property
    def deadline(self) -> Deadline | None:
        return next_deadline(timetable_of(self.born))

    def decide(self, command: TopicCommand, at: datetime) -> list[TopicEvent] | Refused:
        return topic.decide(self.state, command, at)

    def after(self, command: TopicCommand, at: datetime) -> Self:
        """Return the topic after `command`, which must be accepted."""
        decision = self.decide(command, at)
        assert not isinstance(decision, Refused), decision
        return type(self)((*self.history, *decision))

    def refuses(self, command: TopicCommand, at: datetime) -> str:
        """Return the code of the refusal of `command`, which must be refused."""
        decision = self.decide(command, at)
        assert isinstance(decision, Refused), decision
        return decision.code

    def obeyed(self, command: TopicCommand, at: datetime) -> bool:
        return self.decide(command, at) == []

    def agent_in(self, camp: str) -> Caller:
        return Caller.agent(
            next(seat.agent_id for seat in camps_of(self.born) if seat.camp == camp)
        )


def proposed(**changes: Any) -> Given:  # noqa: ANN401 a topic's own fields
    values = {"by": CREATOR, "title": "Ban plastic bottles", "schedule": SCHEDULE} | changes
    return Given().after(ProposeTopic.model_validate(values), NOON)


def with_signup_open(**changes: Any) -> Given:  # noqa: ANN401 a topic's own fields
    opened = proposed(**changes).after(OpenSignup(by=TICKER), SCHEDULE.signup_open_at)
    return opened.after(
        CommitDraw(by=ALLOCATOR, commitment=commitment(SECRET)), SCHEDULE.signup_open_at
    )


def with_signups(given: Given, agents: Sequence[Caller] = DEBATERS) -> Given:
    for number, agent in enumerate(agents):
        camps = ("pro", "con") if number % 2 else ("con", "judge")
        at = SCHEDULE.signup_open_at + timedelta(minutes=number)
        given = given.after(SignUp.model_validate({"by": agent, "willing_camps": camps}), at)
    return given


def signed_up(agents: Sequence[Caller] = DEBATERS, **changes: Any) -> Given:  # noqa: ANN401 a topic's own fields
    return with_signups(with_signup_open(**changes), agents)


def allocating(agents: Sequence[Caller] = DEBATERS, **changes: Any) -> Given:  # noqa: ANN401 a topic's own fields
    return signed_up(agents, **changes).after(CloseSignup(by=TICKER), SCHEDULE.signup_close_at)


def allocated(**changes: Any) -> Given:  # noqa: ANN401 a topic's own fields
    command = AllocateCamps(by=ALLOCATOR, secret=SECRET.hex())
    return allocating(**changes).after(command, SCHEDULE.signup_close_at)


def debating(**changes: Any) -> Given:  # noqa: ANN401 a topic's own fields
    return allocated(**changes).after(StartDebate(by=TICKER), SCHEDULE.debate_start_at)


def judging(**changes: Any) -> Given:  # noqa: ANN401 a topic's own fields
    return debating(**changes).after(EndDebate(by=TICKER), SCHEDULE.debate_end_at)


def completed(**changes: Any) -> Given:  # noqa: ANN401 a topic's own fields
    given = judging(**changes)
    verdict = SubmitVerdict(by=given.agent_in("judge"), verdict={}, rationale="Pro showed it.")
    return given.after(verdict, SCHEDULE.debate_end_at + timedelta(hours=1))


def cancelled(**changes: Any) -> Given:  # noqa: ANN401 a topic's own fields
    return proposed(**changes).after(CancelTopic(by=ADMIN, reason="spam"), NOON)


AT_STAGE: dict[Stage, Callable[..., Given]] = {
    Stage.CREATED: proposed,
    Stage.SIGNUP_OPEN: signed_up,
    Stage.ALLOCATING: allocating,
    Stage.SIGNUP_CLOSED: allocated,
    Stage.DEBATING: debating,
    Stage.JUDGING: judging,
    Stage.COMPLETED: completed,
    Stage.CANCELLED: cancelled,
}
"""For each stage a topic that is there."""
