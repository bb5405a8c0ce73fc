"""`topics`: each topic as it stands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Self

from moot.contracts.debates import Stage, TopicTerms, Visibility
from moot.contracts.envelope import Recorded
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
from moot.projector.rows import Row, array_literal, write
from moot.runtime.database import Connection

INSERT = """
INSERT INTO topics (
    topic_id, creator, title, summary, signup_open_at, signup_close_at, debate_start_at,
    debate_end_at, verdict_due_at, verdict_due_fixed, rounds, visibility, invited_agents,
    announce_guild_base_url, announce_channel_id, verdict_schema_id, status, round_no,
    cancelled_reason, created_at, created_position, position, verdict_overdue
)
SELECT
    topic_id, creator, title, summary, signup_open_at, signup_close_at, debate_start_at,
    debate_end_at, verdict_due_at, verdict_due_fixed, rounds, visibility, invited_agents::text[],
    announce_guild_base_url, announce_channel_id, verdict_schema_id, status,
    CASE status WHEN 'debating' THEN round_no END,
    cancelled_reason, created_at, created_position, position, coalesce(verdict_overdue, false)
FROM unnest(
    $1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[], $5::bigint[], $6::integer[],
    $7::text[], $8::text[], $9::text[], $10::timestamptz[], $11::timestamptz[],
    $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::boolean[], $16::text[],
    $17::text[], $18::text[], $19::text[], $20::text[], $21::integer[], $22::text[],
    $23::boolean[]
) AS c (
    topic_id, position, creator, created_at, created_position, rounds, verdict_schema_id, title,
    summary, signup_open_at, signup_close_at, debate_start_at, debate_end_at, verdict_due_at,
    verdict_due_fixed, invited_agents, announce_guild_base_url, announce_channel_id, visibility,
    status, round_no, cancelled_reason, verdict_overdue
)
ON CONFLICT DO NOTHING
"""

# Null leaves a column as it is. Terms come as a whole, so a title says that the nullable ones hold.
UPDATE = """
UPDATE topics AS t
SET
    title = coalesce(c.title, t.title),
    summary = coalesce(c.summary, t.summary),
    signup_open_at = coalesce(c.signup_open_at, t.signup_open_at),
    signup_close_at = coalesce(c.signup_close_at, t.signup_close_at),
    debate_start_at = coalesce(c.debate_start_at, t.debate_start_at),
    debate_end_at = coalesce(c.debate_end_at, t.debate_end_at),
    verdict_due_at = coalesce(c.verdict_due_at, t.verdict_due_at),
    verdict_due_fixed = coalesce(c.verdict_due_fixed, t.verdict_due_fixed),
    invited_agents = coalesce(c.invited_agents::text[], t.invited_agents),
    announce_guild_base_url =
        CASE WHEN c.title IS NULL THEN t.announce_guild_base_url ELSE c.announce_guild_base_url END,
    announce_channel_id =
        CASE WHEN c.title IS NULL THEN t.announce_channel_id ELSE c.announce_channel_id END,
    visibility = coalesce(c.visibility, t.visibility),
    status = coalesce(c.status, t.status),
    round_no =
        CASE coalesce(c.status, t.status) WHEN 'debating' THEN coalesce(c.round_no, t.round_no) END,
    cancelled_reason = coalesce(c.cancelled_reason, t.cancelled_reason),
    verdict_overdue = coalesce(c.verdict_overdue, t.verdict_overdue),
    position = c.position
FROM unnest(
    $1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[], $5::bigint[], $6::integer[],
    $7::text[], $8::text[], $9::text[], $10::timestamptz[], $11::timestamptz[],
    $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::boolean[], $16::text[],
    $17::text[], $18::text[], $19::text[], $20::text[], $21::integer[], $22::text[],
    $23::boolean[]
) AS c (
    topic_id, position, creator, created_at, created_position, rounds, verdict_schema_id, title,
    summary, signup_open_at, signup_close_at, debate_start_at, debate_end_at, verdict_due_at,
    verdict_due_fixed, invited_agents, announce_guild_base_url, announce_channel_id, visibility,
    status, round_no, cancelled_reason, verdict_overdue
)
WHERE t.topic_id = c.topic_id AND t.position < c.position
"""

# What most events do to a topic. As an UPDATE they would cost ten times as much: each null in each
# column is looked at in Python, sent, and read.
MOVE = """
UPDATE topics AS t
SET position = c.position
FROM unnest($1::uuid[], $2::bigint[]) AS c (topic_id, position)
WHERE t.topic_id = c.topic_id AND t.position < c.position
"""

STATEMENTS = (INSERT, UPDATE, MOVE)


@dataclass(slots=True)
class Change:
    """What a batch makes of one topic, in the order of the statements' parameters.

    None leaves a column as it is.
    """

    topic_id: str
    position: int
    creator: str | None = None
    created_at: datetime | None = None
    created_position: int | None = None
    rounds: int | None = None
    verdict_schema_id: str | None = None
    title: str | None = None
    summary: str | None = None
    signup_open_at: datetime | None = None
    signup_close_at: datetime | None = None
    debate_start_at: datetime | None = None
    debate_end_at: datetime | None = None
    verdict_due_at: datetime | None = None
    verdict_due_fixed: bool | None = None
    invited_agents: str | None = None
    announce_guild_base_url: str | None = None
    announce_channel_id: str | None = None
    visibility: Visibility | None = None
    status: Stage | None = None
    round_no: int | None = None
    cancelled_reason: str | None = None
    verdict_overdue: bool | None = None

    def row(self) -> Row:
        return _row(self)

    def add(self, event: TopicEvent, position: int) -> Self:
        self.position = position
        match event:
            case TopicCreated():
                self._create(event, position)
            case TopicAmended():
                self._set_terms(event.after)
            case VisibilitySet():
                self.visibility = event.visibility
            case TopicCancelled():
                self.status, self.cancelled_reason = Stage.CANCELLED, event.reason
            case DebateStarted():
                self.status, self.round_no = Stage.DEBATING, 0
            case RoundOpened():
                self.round_no = event.round_no
            case DebateEnded():
                self.status, self.verdict_due_at = Stage.JUDGING, event.verdict_due_at
            case JudgeReplaced():
                self.verdict_due_at, self.verdict_overdue = event.verdict_due_at, False
            case VerdictOverdue():
                self.verdict_overdue = True
            case _:
                self.status = _STAGE_AFTER.get(type(event), self.status)
        return self

    def _create(self, event: TopicCreated, position: int) -> None:
        self.creator = event.creator
        self.created_at, self.created_position = event.created_at, position
        self.rounds, self.verdict_schema_id = event.rounds, event.verdict_schema_id
        self.visibility, self.status = event.visibility, Stage.CREATED
        self._set_terms(event.terms)

    def _set_terms(self, terms: TopicTerms) -> None:
        schedule, announce_to = terms.schedule, terms.announce_to
        self.title, self.summary = terms.title, terms.summary
        self.signup_open_at, self.signup_close_at = (
            schedule.signup_open_at,
            schedule.signup_close_at,
        )
        self.debate_start_at, self.debate_end_at = schedule.debate_start_at, schedule.debate_end_at
        self.verdict_due_at = schedule.verdict_deadline
        self.verdict_due_fixed = schedule.verdict_due_at is not None
        self.invited_agents = array_literal(terms.invited_agents)
        self.announce_guild_base_url = announce_to.guild_base_url if announce_to else None
        self.announce_channel_id = announce_to.channel_id if announce_to else None


_WITHOUT_COLUMNS: frozenset[type[TopicEvent]] = frozenset(
    {DrawCommitted, SignedUp, SignupWithdrawn, ArgumentPosted}
)
"""Most events by far: they have tables of their own, and move only the topic's position."""

_STAGE_AFTER: dict[type[TopicEvent], Stage] = {
    SignupOpened: Stage.SIGNUP_OPEN,
    SignupClosed: Stage.ALLOCATING,
    CampsAllocated: Stage.SIGNUP_CLOSED,
    VerdictSubmitted: Stage.COMPLETED,
}


_row: Callable[[Change], Row] = attrgetter(*Change.__slots__)


async def project(connection: Connection, batch: Sequence[tuple[Recorded, TopicEvent]]) -> None:
    changes: dict[str, Change] = {}
    moved: dict[str, int] = {}
    for recorded, event in batch:
        topic_id, position = recorded.stream.id, recorded.position
        if type(event) in _WITHOUT_COLUMNS:
            moved[topic_id] = position
        else:
            change = changes.get(topic_id) or Change(topic_id, position)
            changes[topic_id] = change.add(event, position)
    for topic_id in changes.keys() & moved.keys():
        change = changes[topic_id]
        change.position = max(change.position, moved.pop(topic_id))
    born = [change for change in changes.values() if change.creator is not None]
    inserted = await write(connection, INSERT, [change.row() for change in born])
    # What was there already takes the way of a change, which no older event gets through.
    rest = list(changes.values()) if inserted < len(born) else _unborn(changes)
    await write(connection, UPDATE, [change.row() for change in rest])
    await write(connection, MOVE, list(moved.items()))


def _unborn(changes: dict[str, Change]) -> list[Change]:
    return [change for change in changes.values() if change.creator is None]
