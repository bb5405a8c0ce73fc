"""Arguing and judging."""

from datetime import datetime

from pydantic_core import to_json

from moot.contracts.debates import Camp
from moot.contracts.ids import AgentId
from moot.contracts.topic_commands import PostArgument, ReplaceJudge, SubmitVerdict
from moot.contracts.topic_events import (
    ArgumentPosted,
    JudgeReplaced,
    TopicEvent,
    VerdictSubmitted,
)
from moot.domain.refusal import Refused
from moot.domain.topic_stages import (
    Born,
    Completed,
    Debating,
    Judging,
    SignupClosed,
    camp_of,
    signups_of,
)
from moot.domain.verdict_schemas import check

MAX_CONTENT_BYTES = 32_768
MAX_RATIONALE_BYTES = 32 * 1024
MAX_VERDICT_BYTES = 256 * 1024


def post_argument(state: Born, command: PostArgument, now: datetime) -> list[TopicEvent] | Refused:
    """Refusals: `not-in-camp`, `debate-not-open`, `content-empty`, `content-too-long`."""
    agent_id = command.by.agent_id
    camp = camp_of(state, agent_id)
    if agent_id is None or camp is None:
        return Refused("not-in-camp", "only agents in a camp of this topic argue")
    if not isinstance(state, Debating) or now >= state.facts.schedule.debate_end_at:
        return Refused("debate-not-open", "arguments are posted while the debate is open")
    if not command.content.strip():
        return Refused("content-empty", "an argument needs content")
    if len(command.content.encode()) > MAX_CONTENT_BYTES:
        return Refused("content-too-long", f"an argument has at most {MAX_CONTENT_BYTES} bytes")
    return [
        ArgumentPosted(
            agent_id=agent_id,
            camp=camp,
            round_no=state.round.round_no,
            content=command.content,
            posted_at=now,
        )
    ]


def submit_verdict(
    state: Born, command: SubmitVerdict, now: datetime
) -> list[TopicEvent] | Refused:
    """Accept the verdict, which completes the topic.

    Refusals: `verdict-exists`, `not-judge`, `too-early`, `debate-not-open`, and the content's:
    `rationale-required`, `rationale-too-long`, `verdict-too-long`, `verdict-does-not-match-schema`.
    """
    if isinstance(state, Completed):
        return Refused("verdict-exists", "the verdict has been accepted")
    agent_id = command.by.agent_id
    if agent_id is None or camp_of(state, agent_id) is not Camp.JUDGE:
        return Refused("not-judge", "only the topic's judge returns a verdict")
    if not isinstance(state, Judging):
        if now < state.facts.schedule.debate_end_at and isinstance(state, SignupClosed | Debating):
            return Refused("too-early", "the debate hasn't ended")
        return Refused("debate-not-open", "a verdict is returned while the topic is judged")
    return _check_verdict(state, command) or [
        VerdictSubmitted(
            judge_id=agent_id,
            verdict=command.verdict,
            rationale=command.rationale,
            token_cost=command.token_cost,
            submitted_at=now,
        )
    ]


def _check_verdict(state: Judging, command: SubmitVerdict) -> Refused | None:
    if not command.rationale.strip():
        return Refused("rationale-required", "a verdict needs its reasons")
    if len(command.rationale.encode()) > MAX_RATIONALE_BYTES:
        return Refused("rationale-too-long", f"at most {MAX_RATIONALE_BYTES} bytes")
    if len(to_json(command.verdict)) > MAX_VERDICT_BYTES:
        return Refused("verdict-too-long", f"a verdict has at most {MAX_VERDICT_BYTES} bytes")
    problems = check(state.facts.verdict_schema, command.verdict)
    if problems:
        return Refused(
            "verdict-does-not-match-schema",
            f"the verdict doesn't match the schema {state.facts.verdict_schema.id}",
            problems,
        )
    return None


def replace_judge(state: Born, command: ReplaceJudge, now: datetime) -> list[TopicEvent] | Refused:
    """Refusals: `not-admin`, `not-judging`, `not-signed-up`, `already-in-camp`."""
    camp = camp_of(state, command.agent_id)
    if isinstance(state, Judging) and camp is Camp.JUDGE:
        return []
    if not command.by.is_admin:
        return Refused("not-admin", "only an admin replaces a judge")
    if not isinstance(state, Judging):
        return Refused("not-judging", "a judge is replaced while the topic is judged")
    if command.agent_id not in signups_of(state):
        return Refused("not-signed-up", "the new judge must have signed up")
    if camp is not None:
        return Refused("already-in-camp", f"the agent argues for {camp}")
    return [
        JudgeReplaced(
            previous_judge_id=_judge_of(state),
            judge_id=command.agent_id,
            verdict_due_at=now + state.verdict_time,
            replaced_by=command.by.auth_id,
            replaced_at=now,
        )
    ]


def _judge_of(state: Judging) -> AgentId:
    return next(seat.agent_id for seat in state.camps if seat.camp is Camp.JUDGE)
