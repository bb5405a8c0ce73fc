"""What the ticker fires: a stage or a round begins once its time is reached, and never before."""

from datetime import datetime
from typing import assert_never

from moot.contracts.debates import Stage
from moot.contracts.topic_commands import (
    CloseSignup,
    EndDebate,
    FlagOverdue,
    OpenRound,
    OpenSignup,
    StartDebate,
)
from moot.contracts.topic_events import (
    DebateEnded,
    DebateStarted,
    RoundOpened,
    SignupClosed,
    SignupOpened,
    TopicEvent,
    VerdictOverdue,
)
from moot.domain.deadlines import next_deadline
from moot.domain.refusal import Refused
from moot.domain.topic_stages import (
    Born,
    Cancelled,
    Completed,
    Debating,
    Judging,
    stage_of,
    timetable_of,
)

DeadlineCommand = OpenSignup | CloseSignup | StartDebate | OpenRound | EndDebate | FlagOverdue

_ORDER = (
    Stage.CREATED,
    Stage.SIGNUP_OPEN,
    Stage.ALLOCATING,
    Stage.SIGNUP_CLOSED,
    Stage.DEBATING,
    Stage.JUDGING,
    Stage.COMPLETED,
)
_LEADS_TO = {
    "open_signup": Stage.SIGNUP_OPEN,
    "close_signup": Stage.ALLOCATING,
    "start_debate": Stage.DEBATING,
    "open_round": Stage.DEBATING,
    "end_debate": Stage.JUDGING,
}


def fire(state: Born, command: DeadlineCommand, now: datetime) -> list[TopicEvent] | Refused:
    """Refusals: `not-a-service`, `not-due`.

    Obeyed by a topic that is where the command leads to, or past it, or cancelled.
    """
    if _obeyed(state, command):
        return []
    if command.by.kind != "service":
        return Refused("not-a-service", "only the ticker fires deadlines")
    deadline = next_deadline(timetable_of(state))
    round_no = command.round_no if isinstance(command, OpenRound) else None
    if deadline is None or (deadline.command, deadline.round_no) != (command.name, round_no):
        return Refused("not-due", f"{command.name} isn't what comes next")
    if now < deadline.due_at:
        return Refused("not-due", f"{command.name} is due at {deadline.due_at.isoformat()}")
    return [_fired(state, command, deadline.due_at, now)]


def _obeyed(state: Born, command: DeadlineCommand) -> bool:
    if isinstance(state, Cancelled | Completed):
        return True
    if isinstance(command, FlagOverdue):
        return isinstance(state, Judging) and state.overdue
    if isinstance(command, OpenRound) and isinstance(state, Debating):
        return state.round.round_no >= command.round_no
    return _ORDER.index(stage_of(state)) >= _ORDER.index(_LEADS_TO[command.name])


def _fired(state: Born, command: DeadlineCommand, due_at: datetime, now: datetime) -> TopicEvent:
    facts = state.facts
    match command:
        case OpenSignup():
            return SignupOpened(due_at=due_at, fired_at=now)
        case CloseSignup():
            return SignupClosed(due_at=due_at, fired_at=now)
        case StartDebate():
            closes_at = facts.schedule.round_opens_at(1, facts.rounds)
            return DebateStarted(closes_at=closes_at, due_at=due_at, fired_at=now)
        case OpenRound():
            closes_at = facts.schedule.round_opens_at(command.round_no + 1, facts.rounds)
            return RoundOpened(
                round_no=command.round_no, closes_at=closes_at, due_at=due_at, fired_at=now
            )
        case EndDebate():
            verdict_due_at = facts.schedule.verdict_deadline
            return DebateEnded(verdict_due_at=verdict_due_at, due_at=due_at, fired_at=now)
        case FlagOverdue():
            return VerdictOverdue(due_at=due_at, fired_at=now)
        case _:
            assert_never(command)
