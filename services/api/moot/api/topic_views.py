"""A topic as the API shows it, from a folded state and from a row: a test holds the two equal."""

from functools import lru_cache
from typing import Final

from pydantic_core import from_json

from moot.api.queries.checkpoints import VISIBILITIES, Row
from moot.contracts.debates import CAMPS, Caller, CampSeat, Schedule, Stage, id_of
from moot.contracts.ids import TopicId
from moot.contracts.shape import checked
from moot.contracts.views import DeadlineView, RoundView, TopicView
from moot.domain.access_rules import Standing, allowed_actions
from moot.domain.deadlines import Deadline, next_deadline, next_of_topic
from moot.domain.topic_stages import (
    Born,
    Cancelled,
    Debating,
    camps_of,
    signups_of,
    stage_of,
    timetable_of,
    verdict_due_at,
)

# An enum is called for a member in ten times as long.
_STAGES: Final = {stage.value: stage for stage in Stage}


def topic_view_of_state(topic_id: TopicId, state: Born, position: int, caller: Caller) -> TopicView:
    """`position` is that of the last event in `state`."""
    facts = state.facts
    standing = Standing(
        stage=stage_of(state),
        visibility=facts.visibility,
        creator=facts.creator,
        invited_agents=facts.terms.invited_agents,
        camps=camps_of(state),
        signed_up=caller.agent_id in signups_of(state),
    )
    return TopicView(
        id=topic_id,
        title=facts.terms.title,
        summary=facts.terms.summary,
        status=standing.stage,
        signup_open_at=facts.schedule.signup_open_at,
        signup_close_at=facts.schedule.signup_close_at,
        debate_start_at=facts.schedule.debate_start_at,
        debate_end_at=facts.schedule.debate_end_at,
        verdict_due_at=verdict_due_at(state),
        rounds=facts.rounds,
        visibility=facts.visibility,
        invited_agents=facts.terms.invited_agents,
        verdict_schema_id=facts.verdict_schema_id,
        creator_id=id_of(facts.creator),
        camps=camps_of(state),
        round=_round_of_state(state),
        cancelled_reason=state.reason if isinstance(state, Cancelled) else None,
        next_deadline=_deadline_view(next_deadline(timetable_of(state))),
        allowed_actions=allowed_actions(standing, caller),
        created_at=facts.created_at,
        position=position,
    )


def topic_view_of_row(row: Row, caller: Caller) -> TopicView:
    """`row` is one of `moot.api.queries.topics`, read for this caller."""
    standing = Standing(
        stage=_STAGES[row["status"]],
        visibility=VISIBILITIES[row["visibility"]],
        creator=row["creator"],
        invited_agents=row["invited_agents"],
        camps=seats(row["camps"]),
        signed_up=row["signed_up"],
    )
    fields = {
        "id": row["topic_id"].hex,
        "title": row["title"],
        "summary": row["summary"],
        "status": standing.stage,
        "signup_open_at": row["signup_open_at"],
        "signup_close_at": row["signup_close_at"],
        "debate_start_at": row["debate_start_at"],
        "debate_end_at": row["debate_end_at"],
        "verdict_due_at": row["verdict_due_at"],
        "rounds": row["rounds"],
        "visibility": standing.visibility,
        "invited_agents": tuple(standing.invited_agents),
        "verdict_schema_id": row["verdict_schema_id"],
        "creator_id": id_of(standing.creator),
        "camps": standing.camps,
        "round": _round_of_row(row, standing.stage),
        "cancelled_reason": row["cancelled_reason"],
        "next_deadline": _deadline_view(_deadline_of_row(row, standing.stage)),
        "allowed_actions": allowed_actions(standing, caller),
        "created_at": row["created_at"],
        "position": row["position"],
    }
    return checked(TopicView, fields)


@lru_cache(maxsize=1024)
def seats(agents_by_camp: str | None) -> tuple[CampSeat, ...]:
    """Read the column `camps`, in the order in which camps are always listed."""
    agents: dict[str, str] = {} if agents_by_camp is None else from_json(agents_by_camp)
    return tuple(
        checked(CampSeat, {"camp": camp, "agent_id": agents[camp]})
        for camp in CAMPS
        if camp in agents
    )


def _round_of_state(state: Born) -> RoundView | None:
    if not isinstance(state, Debating):
        return None
    now = state.round
    return RoundView(round_no=now.round_no, opened_at=now.opened_at, closes_at=now.closes_at)


def _round_of_row(row: Row, stage: Stage) -> RoundView | None:
    if stage is not Stage.DEBATING:
        return None
    fields = {
        "round_no": row["round_no"],
        "opened_at": row["round_opened_at"],
        "closes_at": row["round_closes_at"],
    }
    return checked(RoundView, fields)


def _deadline_of_row(row: Row, stage: Stage) -> Deadline | None:
    waiting = stage is Stage.JUDGING and not row["verdict_overdue"]
    times = {
        "signup_open_at": row["signup_open_at"],
        "signup_close_at": row["signup_close_at"],
        "debate_start_at": row["debate_start_at"],
        "debate_end_at": row["debate_end_at"],
        "verdict_due_at": None,
    }
    return next_of_topic(
        stage,
        checked(Schedule, times),
        row["rounds"],
        row["round_no"] or 0,
        row["verdict_due_at"] if waiting else None,
    )


def _deadline_view(deadline: Deadline | None) -> DeadlineView | None:
    if deadline is None:
        return None
    fields = {
        "command": deadline.command,
        "due_at": deadline.due_at,
        "round_no": deadline.round_no,
    }
    return checked(DeadlineView, fields)
