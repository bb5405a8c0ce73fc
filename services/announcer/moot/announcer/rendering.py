"""What an announcement says: Markdown that also reads well as plain text.

The title, one line of what happened, then facts. Everything comes from the event and the topic as
it was then, never from the clock; what agents wrote is escaped, and calls nobody.
"""

import json
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from moot.contracts.debates import Camp, Schedule, id_of
from moot.contracts.topic_events import (
    CampsAllocated,
    DebateStarted,
    SignupOpened,
    TopicCancelled,
    VerdictSubmitted,
)
from moot.domain.topic_stages import Born, camps_of, verdict_due_at

Announced = SignupOpened | CampsAllocated | TopicCancelled | DebateStarted | VerdictSubmitted

LONGEST_RATIONALE: Final = 1000
LONGEST_VERDICT: Final = 600

_MARKDOWN = re.compile(r"([\\`*_\[\]<>~|])")
_BLOCK = re.compile(r"^(#{1,6}|[-+=]|\d+[.)])(?=\s|$)")
_MENTION = re.compile(r"([@＠]|<(?=[!@#:]))")  # noqa: RUF001 the full-width @ calls people, too
_JOINERS = "\u200c\u200d"
_NOBODY = "\u200b"
"""Put after an `@`, a space of no width leaves it looking the same and calling nobody."""


def render(event: Announced, topic: Born, link: str | None) -> str:
    """Return the message for `event`; `topic` is the state right after it."""
    facts = [f"- {fact}" for fact in _facts(event, topic)]
    facts.append(f"- Verdict schema: {plain(topic.facts.verdict_schema_id)}")
    if link is not None:
        facts.append(f"- Topic: {link}")
    title = plain(topic.facts.terms.title)
    return "\n".join([f"**{title}**", _happened(event), "", *facts])


def _happened(event: Announced) -> str:
    match event:
        case SignupOpened():
            return "Sign-up is open."
        case CampsAllocated():
            return "The camps have been drawn."
        case TopicCancelled():
            return f"Cancelled: {plain(event.reason)}"
        case DebateStarted():
            return "The debate has begun."
        case VerdictSubmitted():
            return "The judge has returned a verdict."


def _facts(event: Announced, topic: Born) -> Iterable[str]:
    match event:
        case SignupOpened():
            return _signup_opened(event, topic)
        case CampsAllocated():
            return _camps_allocated(event, topic)
        case TopicCancelled():
            return [f"Cancelled by: {_who(event.cancelled_by)}"]
        case DebateStarted():
            return _debate_started(event, topic)
        case VerdictSubmitted():
            return _verdict(event)


def _signup_opened(event: SignupOpened, topic: Born) -> Iterable[str]:
    schedule, now = topic.facts.schedule, event.fired_at
    yield f"Sign-up closes: {_when(schedule.signup_close_at, now)}"
    yield from _debate_times(schedule, now)
    if topic.facts.rounds > 1:
        yield f"Rounds: {topic.facts.rounds}"


def _camps_allocated(event: CampsAllocated, topic: Born) -> Iterable[str]:
    for seat in event.camps:
        drawn = " (drawn without having volunteered)" if seat.camp in event.backfilled else ""
        yield f"{_CAMP_NAMES[seat.camp]}: {plain(seat.agent_id)}{drawn}"
    yield from _debate_times(topic.facts.schedule, event.allocated_at)


def _debate_started(event: DebateStarted, topic: Born) -> Iterable[str]:
    for seat in camps_of(topic):
        yield f"{_CAMP_NAMES[seat.camp]}: {plain(seat.agent_id)}"
    if topic.facts.rounds > 1:
        yield f"Round 1 of {topic.facts.rounds} closes: {_when(event.closes_at, event.fired_at)}"
    yield f"Debate ends: {_when(topic.facts.schedule.debate_end_at, event.fired_at)}"
    yield f"Verdict due: {_when(verdict_due_at(topic), event.fired_at)}"


def _verdict(event: VerdictSubmitted) -> Iterable[str]:
    yield f"Judge: {plain(event.judge_id)}"
    yield f"Verdict: {_shortened(_flat(event.verdict), LONGEST_VERDICT)}"
    yield f"Rationale: {_shortened(event.rationale, LONGEST_RATIONALE)}"
    if event.token_cost is not None:
        yield f"Token cost: {event.token_cost}"


def _flat(verdict: dict[str, object]) -> str:
    """Return `winner: pro, confidence: 0.8`; what isn't flat as JSON."""
    return ", ".join(
        f"{key}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for key, value in verdict.items()
    )


_CAMP_NAMES: Final = {Camp.PRO: "Pro", Camp.CON: "Con", Camp.JUDGE: "Judge"}


def _debate_times(schedule: Schedule, now: datetime) -> Iterable[str]:
    yield f"Debate begins: {_when(schedule.debate_start_at, now)}"
    yield f"Debate ends: {_when(schedule.debate_end_at, now)}"


def _who(auth_id: str) -> str:
    kind = auth_id.partition(":")[0]
    return "an admin" if kind == "admin" else plain(id_of(auth_id))


def _when(moment: datetime, now: datetime) -> str:
    return f"{_moment(moment)} ({relative(moment - now)})"


def _moment(moment: datetime) -> str:
    utc = (moment + timedelta(milliseconds=500)).astimezone(UTC)
    return utc.strftime("%Y-%m-%d %H:%M:%S UTC" if utc.second else "%Y-%m-%d %H:%M UTC")


def relative(distance: timedelta) -> str:
    """Return `in 2 h`, `in 1 d 3 h`, `5 min ago`: the two greatest units, rounded to seconds."""
    seconds = round(abs(distance.total_seconds()))
    if seconds == 0:
        return "now"
    parts: list[str] = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        parts.append(f"{count} {name}" if count else "")
    first = next(place for place, part in enumerate(parts) if part)
    text = " ".join(part for part in parts[first : first + 2] if part)
    return f"in {text}" if distance > timedelta(0) else f"{text} ago"


def _shortened(text: str, longest: int) -> str:
    flat = _one_line(text)
    return plain(flat if len(flat) <= longest else f"{flat[: longest - 1].rstrip()}…")


def plain(text: str) -> str:
    """Return `text` as one line that Markdown shows as it is, and that mentions nobody."""
    escaped = _MARKDOWN.sub(r"\\\1", _MENTION.sub(rf"\1{_NOBODY}", _one_line(text)))
    return _BLOCK.sub(r"\\\1", escaped)


def _one_line(text: str) -> str:
    """Without line breaks, and without control and formatting characters that hide things."""
    kept = "".join(
        " " if character.isspace() else character
        for character in text
        if character.isspace()
        or character in _JOINERS
        or unicodedata.category(character) not in {"Cc", "Cf"}
    )
    return " ".join(kept.split())
