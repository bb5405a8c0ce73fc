"""The projection `debates_v1`: topics with all that belongs to them."""

from collections.abc import Sequence
from typing import cast, get_args

from moot.contracts.catalogue import Event
from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import TopicEvent
from moot.projector.debates import camps, signups, topics, transcript
from moot.runtime.database import Connection
from moot.runtime.projection import Projection

TABLES = ("topics", "signups", "camps", "rounds", "arguments", "verdicts", "draws")
FORGET = """
WITH t AS (DELETE FROM topics WHERE topic_id = ANY ($1::uuid[])),
    s AS (DELETE FROM signups WHERE topic_id = ANY ($1::uuid[])),
    c AS (DELETE FROM camps WHERE topic_id = ANY ($1::uuid[])),
    r AS (DELETE FROM rounds WHERE topic_id = ANY ($1::uuid[])),
    a AS (DELETE FROM arguments WHERE topic_id = ANY ($1::uuid[])),
    v AS (DELETE FROM verdicts WHERE topic_id = ANY ($1::uuid[]))
DELETE FROM draws WHERE topic_id = ANY ($1::uuid[])
"""

STATEMENTS = (
    FORGET,
    *topics.STATEMENTS,
    *signups.STATEMENTS,
    *camps.STATEMENTS,
    *transcript.STATEMENTS,
)

_TOPIC_EVENTS: frozenset[type[Event]] = frozenset(get_args(TopicEvent))


async def apply(connection: Connection, batch: Sequence[Recorded]) -> None:
    of_topics = [(r, event) for r in batch if type(event := r.event) in _TOPIC_EVENTS]
    events = cast("list[tuple[Recorded, TopicEvent]]", of_topics)
    await topics.project(connection, events)
    await signups.project(connection, events)
    await camps.project(connection, events)
    await transcript.project(connection, events)


async def forget(connection: Connection, streams: Sequence[StreamName]) -> None:
    await connection.execute(FORGET, [stream.id for stream in streams])


# Agents wait for each other's events, so it doesn't wait for more of them.
DEBATES = Projection("debates_v1", frozenset({"topic"}), TABLES, apply, forget, rest_seconds=0.0)
