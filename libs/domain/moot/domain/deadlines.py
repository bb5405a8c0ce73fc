"""Which deadline comes next: the one place that says when what is due.

The ticker keeps a timetable in memory for everything that lives, the projection `deadlines_v1`
keeps the same in a table, and the deciders refuse what this module says isn't due.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, TypeAdapter

from moot.contracts.catalogue import Event
from moot.contracts.debates import Caller, Schedule, Stage
from moot.contracts.deliveries import (
    AnnouncementDelivered,
    AnnouncementFailed,
    DeliveryAttempted,
    DeliveryCommand,
    DeliveryDue,
    DeliveryPostponed,
    MakeDeliveryDue,
)
from moot.contracts.ids import EventId
from moot.contracts.topic_commands import (
    CloseSignup,
    EndDebate,
    FlagOverdue,
    OpenRound,
    OpenSignup,
    StartDebate,
    TopicCommand,
)
from moot.contracts.topic_events import (
    CampsAllocated,
    DebateEnded,
    DebateStarted,
    JudgeReplaced,
    RoundOpened,
    SignupClosed,
    SignupOpened,
    TopicAmended,
    TopicCancelled,
    TopicCreated,
    VerdictOverdue,
    VerdictSubmitted,
)


@dataclass(frozen=True, slots=True)
class TopicTimetable:
    """What a topic's next deadline follows from."""

    stage: Stage
    schedule: Schedule
    rounds: int
    round_no: int = 0
    verdict_due_at: datetime | None = None
    """Set while judging and not overdue."""
    kind: Literal["topic"] = "topic"


@dataclass(frozen=True, slots=True)
class DeliveryTimetable:
    """When a delivery queue's oldest open request is to be tried again."""

    event_id: EventId
    next_attempt_at: datetime
    kind: Literal["delivery"] = "delivery"


Timetable = TopicTimetable | DeliveryTimetable

_timetable: TypeAdapter[Timetable] = TypeAdapter(Annotated[Timetable, Field(discriminator="kind")])


class Deadline(NamedTuple):
    """`command` is due at `due_at`; `round_no` and `event_id` are its argument, if any."""

    due_at: datetime
    command: str
    round_no: int | None = None
    event_id: EventId | None = None


def to_json(timetable: Timetable) -> str:
    return _timetable.dump_json(timetable).decode()


def from_json(text: str | bytes) -> Timetable:
    return _timetable.validate_json(text)


def next_deadline(timetable: Timetable | None) -> Deadline | None:
    """Return the one deadline that is waited for, None where nothing happens by itself."""
    match timetable:
        case None:
            return None
        case DeliveryTimetable():
            return Deadline(
                timetable.next_attempt_at, "make_delivery_due", event_id=timetable.event_id
            )
        case TopicTimetable(stage, schedule, rounds, round_no, verdict_due_at):
            return next_of_topic(stage, schedule, rounds, round_no, verdict_due_at)


def next_of_topic(
    stage: Stage,
    schedule: Schedule,
    rounds: int,
    round_no: int,
    verdict_due_at: datetime | None,
) -> Deadline | None:
    """As `next_deadline`, of what a topic's timetable consists of."""
    match stage:
        case Stage.CREATED:
            return Deadline(schedule.signup_open_at, "open_signup")
        case Stage.SIGNUP_OPEN:
            return Deadline(schedule.signup_close_at, "close_signup")
        case Stage.SIGNUP_CLOSED:
            return Deadline(schedule.debate_start_at, "start_debate")
        case Stage.DEBATING:
            return _next_round(schedule, rounds, round_no + 1)
        case Stage.JUDGING if verdict_due_at is not None:
            return Deadline(verdict_due_at, "flag_overdue")
        case Stage.ALLOCATING | Stage.JUDGING | Stage.COMPLETED | Stage.CANCELLED:
            return None


def _next_round(schedule: Schedule, rounds: int, coming: int) -> Deadline:
    if coming < rounds:
        return Deadline(schedule.round_opens_at(coming, rounds), "open_round", round_no=coming)
    return Deadline(schedule.debate_end_at, "end_debate")


MOVING: Final[frozenset[type[Event]]] = frozenset(
    {
        TopicCreated,
        TopicAmended,
        SignupOpened,
        SignupClosed,
        CampsAllocated,
        DebateStarted,
        RoundOpened,
        DebateEnded,
        VerdictOverdue,
        JudgeReplaced,
        TopicCancelled,
        VerdictSubmitted,
        DeliveryAttempted,
        DeliveryPostponed,
        DeliveryDue,
        AnnouncementDelivered,
        AnnouncementFailed,
    }
)
"""The events that `evolve` looks at: most events leave every timetable as it is."""


def evolve(timetable: Timetable | None, event: Event) -> Timetable | None:
    """Return the timetable after `event`; None once nothing more can come due."""
    if type(event) not in MOVING:
        return timetable
    match event:
        case TopicCreated():
            return TopicTimetable(Stage.CREATED, event.terms.schedule, event.rounds)
        case DeliveryAttempted() | DeliveryPostponed():
            return DeliveryTimetable(event.event_id, event.next_attempt_at)
        case DeliveryDue() | AnnouncementDelivered() | AnnouncementFailed():
            return None
        case _:
            return _evolve_topic(timetable, event)


def _evolve_topic(timetable: Timetable | None, event: Event) -> Timetable | None:
    if not isinstance(timetable, TopicTimetable):
        return timetable
    match event:
        case TopicAmended():
            return replace(timetable, schedule=event.after.schedule)
        case SignupOpened():
            return replace(timetable, stage=Stage.SIGNUP_OPEN)
        case SignupClosed():
            return replace(timetable, stage=Stage.ALLOCATING)
        case CampsAllocated():
            return replace(timetable, stage=Stage.SIGNUP_CLOSED)
        case DebateStarted():
            return replace(timetable, stage=Stage.DEBATING)
        case RoundOpened():
            return replace(timetable, round_no=event.round_no)
        case DebateEnded():
            return replace(timetable, stage=Stage.JUDGING, verdict_due_at=event.verdict_due_at)
        case VerdictOverdue():
            return replace(timetable, verdict_due_at=None)
        case JudgeReplaced():
            return replace(timetable, verdict_due_at=event.verdict_due_at)
        case TopicCancelled() | VerdictSubmitted():
            return None
        case _:
            return timetable


def deadline_command(deadline: Deadline, by: Caller) -> TopicCommand | DeliveryCommand:
    """Return the command that fires `deadline`. Raises ValueError on one this code doesn't know."""
    match deadline.command:
        case "open_signup":
            return OpenSignup(by=by)
        case "close_signup":
            return CloseSignup(by=by)
        case "start_debate":
            return StartDebate(by=by)
        case "open_round" if deadline.round_no is not None:
            return OpenRound(by=by, round_no=deadline.round_no)
        case "end_debate":
            return EndDebate(by=by)
        case "flag_overdue":
            return FlagOverdue(by=by)
        case "make_delivery_due" if deadline.event_id is not None:
            return MakeDeliveryDue(by=by, event_id=deadline.event_id)
        case _:
            raise ValueError(f"no command is known for {deadline}")
