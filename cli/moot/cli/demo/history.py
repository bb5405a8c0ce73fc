"""One topic's events, read from the Chronicle itself: what everything else is measured against."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from moot.contracts.envelope import Envelope, Recorded
from moot.contracts.ids import Position
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import (
    CampsAllocated,
    DebateEnded,
    DebateStarted,
    RoundOpened,
    SignupClosed,
    SignupOpened,
    TopicCancelled,
    TopicCreated,
    VerdictOverdue,
    VerdictSubmitted,
)
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import connect

StageEvent = (
    TopicCreated
    | SignupOpened
    | SignupClosed
    | CampsAllocated
    | TopicCancelled
    | DebateStarted
    | RoundOpened
    | DebateEnded
    | VerdictSubmitted
)
"""The events that change a topic's stage or round."""

DeadlineEvent = (
    SignupOpened | SignupClosed | DebateStarted | RoundOpened | DebateEnded | VerdictOverdue
)


@dataclass(frozen=True, slots=True)
class _Address:
    nats_url: str


@dataclass(frozen=True, slots=True)
class Lateness:
    """How long after its time an event that a deadline caused was in the Chronicle."""

    event_type: str
    late: timedelta


async def topic_history(nats_url: str, topic_id: str) -> list[Recorded]:
    """All events of the topic, in order."""
    stream = StreamName("topic", topic_id)
    connection = await connect(_Address(nats_url), name="moot-cli")
    try:
        stored = await JetStreamChronicle(connection).read(stream)
    finally:
        await connection.close()
    return [
        Recorded(Position(event.position), event.stored_at, Envelope.from_bytes(stream, event.body))
        for event in stored
    ]


def stage_events(history: Sequence[Recorded]) -> list[str]:
    """The short names of what changed the stage or the round, e.g. `debate_started`."""
    return [short_name(r.event.type) for r in history if isinstance(r.event, StageEvent)]


def lateness(history: Sequence[Recorded]) -> list[Lateness]:
    """How late each deadline of the topic took effect; negative would be before its time."""
    return [
        Lateness(short_name(r.event.type), r.stored_at - r.event.due_at)
        for r in history
        if isinstance(r.event, DeadlineEvent)
    ]


def short_name(event_type: str) -> str:
    """`moot.topic.round_opened.v1` → `round_opened`."""
    return event_type.split(".")[-2]
