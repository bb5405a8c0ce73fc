"""Proposing, amending, showing, hiding and cancelling a topic."""

from datetime import datetime

from moot.contracts.debates import Schedule, TopicTerms
from moot.contracts.topic_commands import AmendTopic, CancelTopic, ProposeTopic, SetVisibility
from moot.contracts.topic_events import (
    TopicAmended,
    TopicCancelled,
    TopicCreated,
    TopicEvent,
    VisibilitySet,
)
from moot.domain.refusal import Refused
from moot.domain.topic_stages import Born, Cancelled, Completed, Created, SignupOpen
from moot.domain.verdict_schemas import BUILT_IN

MAX_TITLE_CHARACTERS = 200
MAX_SUMMARY_BYTES = 8 * 1024
MAX_REASON_BYTES = 8 * 1024


def propose_topic(command: ProposeTopic, now: datetime) -> list[TopicEvent] | Refused:
    """Create the topic under the caller's name.

    Refusals: `not-an-agent`, `title-required`, `title-too-long`, `summary-too-long`,
    `times-out-of-order`, `unknown-verdict-schema`.
    """
    if command.by.kind not in {"agent", "person", "admin"}:
        return Refused("not-an-agent", "only an agent, a person or an admin proposes a topic")
    terms = TopicTerms(
        title=command.title.strip(),
        summary=command.summary,
        schedule=command.schedule,
        invited_agents=tuple(dict.fromkeys(command.invited_agents)),
        announce_to=command.announce_to,
    )
    wrong = _check_terms(terms)
    if wrong is not None:
        return wrong
    if command.verdict_schema is None and command.verdict_schema_id not in BUILT_IN:
        known = ", ".join(sorted(BUILT_IN))
        detail = f"known verdict schemas: {known}, and those that are registered"
        return Refused("unknown-verdict-schema", detail)
    return [
        TopicCreated(
            creator=command.by.auth_id,
            terms=terms,
            rounds=command.rounds,
            verdict_schema_id=command.verdict_schema_id,
            verdict_schema=command.verdict_schema,
            visibility=command.visibility,
            created_at=now,
        )
    ]


def _check_terms(terms: TopicTerms) -> Refused | None:
    if not terms.title.strip():
        return Refused("title-required", "a topic needs a title")
    if len(terms.title) > MAX_TITLE_CHARACTERS:
        return Refused("title-too-long", f"a title has at most {MAX_TITLE_CHARACTERS} characters")
    if len(terms.summary.encode()) > MAX_SUMMARY_BYTES:
        return Refused("summary-too-long", f"a summary has at most {MAX_SUMMARY_BYTES} bytes")
    if not terms.schedule.in_order():
        return Refused(
            "times-out-of-order",
            "it must hold that signup_open_at < signup_close_at <= debate_start_at"
            " < debate_end_at < verdict_due_at",
        )
    return None


def amend_topic(state: Born, command: AmendTopic, now: datetime) -> list[TopicEvent] | Refused:
    """Refusals: `not-creator`, `too-late-to-amend`, `times-out-of-order`, those of the content."""
    before = state.facts.terms
    after = _amended(before, command)
    if after == before:
        return []
    if command.by.auth_id != state.facts.creator:
        return Refused("not-creator", "only its creator amends a topic")
    if not isinstance(state, Created | SignupOpen) or now >= before.schedule.signup_close_at:
        return Refused("too-late-to-amend", "nothing can be moved once sign-up has closed")
    wrong = _check_times(before.schedule, after.schedule, now) or _check_terms(after)
    return wrong or [TopicAmended(before=before, after=after, amended_at=now)]


def _amended(terms: TopicTerms, command: AmendTopic) -> TopicTerms:
    times = {name: getattr(command, name) or getattr(terms.schedule, name) for name in _TIMES}
    return TopicTerms(
        title=terms.title if command.title is None else command.title.strip(),
        summary=terms.summary if command.summary is None else command.summary,
        schedule=Schedule(**times),
        invited_agents=tuple(dict.fromkeys((*terms.invited_agents, *command.invited_agents))),
        announce_to=command.announce_to or terms.announce_to,
    )


_TIMES = tuple(Schedule.model_fields)


def _check_times(before: Schedule, after: Schedule, now: datetime) -> Refused | None:
    for name in _TIMES:
        old: datetime | None = getattr(before, name)
        new: datetime | None = getattr(after, name)
        if new is None or new == old:
            continue
        if old is not None and old <= now:
            return Refused("too-late-to-amend", f"{name} has passed already")
        if new <= now:
            return Refused("times-out-of-order", f"the new {name} must lie ahead")
    return None


def set_visibility(
    state: Born, command: SetVisibility, now: datetime
) -> list[TopicEvent] | Refused:
    """Refusals: `not-admin`. Possible at every stage."""
    if state.facts.visibility is command.visibility:
        return []
    if not command.by.is_admin:
        return Refused("not-admin", "only an admin changes who sees a topic")
    return [VisibilitySet(visibility=command.visibility, set_by=command.by.auth_id, set_at=now)]


def cancel_topic(state: Born, command: CancelTopic, now: datetime) -> list[TopicEvent] | Refused:
    """Refusals: `not-creator`, `too-late-to-cancel`, `reason-required`, `reason-too-long`."""
    if isinstance(state, Cancelled):
        return []
    by_admin = command.by.is_admin
    if not by_admin and command.by.auth_id != state.facts.creator:
        return Refused("not-creator", "only its creator or an admin cancels a topic")
    if isinstance(state, Completed):
        return Refused("too-late-to-cancel", "the verdict has been accepted")
    if not by_admin and not _before_signup_closes(state, now):
        return Refused("too-late-to-cancel", "once sign-up has closed only an admin cancels")
    if not command.reason.strip():
        return Refused("reason-required", "say why the topic is cancelled")
    if len(command.reason.encode()) > MAX_REASON_BYTES:
        return Refused("reason-too-long", f"a reason has at most {MAX_REASON_BYTES} bytes")
    return [
        TopicCancelled(reason=command.reason, cancelled_by=command.by.auth_id, cancelled_at=now)
    ]


def _before_signup_closes(state: Born, now: datetime) -> bool:
    in_time = now < state.facts.schedule.signup_close_at
    return isinstance(state, Created | SignupOpen) and in_time
