"""The projection `argument_counts_v1`: how many arguments an agent has posted in a topic."""

from collections.abc import Sequence

from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import ArgumentPosted
from moot.projector.rows import Row, write
from moot.runtime.database import Connection
from moot.runtime.projection import Projection

COUNT = """
INSERT INTO argument_counts AS c (topic_id, agent_id, arguments, position)
SELECT topic_id, agent_id, count(*), max(posted.position)
FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS posted (topic_id, agent_id, position)
LEFT JOIN argument_counts AS known USING (topic_id, agent_id)
WHERE posted.position > coalesce(known.position, 0)
GROUP BY topic_id, agent_id
ON CONFLICT (topic_id, agent_id) DO UPDATE
SET arguments = c.arguments + excluded.arguments, position = excluded.position
"""

FORGET = "DELETE FROM argument_counts WHERE topic_id = ANY ($1::uuid[])"

STATEMENTS = (COUNT, FORGET)


async def apply(connection: Connection, batch: Sequence[Recorded]) -> None:
    posted: list[Row] = [
        (recorded.stream.id, recorded.event.agent_id, recorded.position)
        for recorded in batch
        if isinstance(recorded.event, ArgumentPosted)
    ]
    await write(connection, COUNT, posted)


async def forget(connection: Connection, streams: Sequence[StreamName]) -> None:
    await connection.execute(FORGET, [stream.id for stream in streams])


ARGUMENT_COUNTS = Projection(
    "argument_counts_v1", frozenset({"topic"}), ("argument_counts",), apply, forget
)
