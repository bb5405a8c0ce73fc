"""`signups`: who has signed up, in which order, for what."""

from collections.abc import Sequence

from moot.contracts.envelope import Recorded
from moot.contracts.topic_events import SignedUp, SignupWithdrawn, TopicEvent
from moot.projector.rows import Row, array_literal, write
from moot.runtime.database import Connection

DELETE = """
DELETE FROM signups AS s
USING unnest($1::uuid[], $2::text[], $3::bigint[]) AS w (topic_id, agent_id, position)
WHERE s.topic_id = w.topic_id AND s.agent_id = w.agent_id AND s.position < w.position
"""

# An agent that signs up again keeps its place in the order.
UPSERT = """
INSERT INTO signups AS s
    (topic_id, agent_id, willing_camps, signed_up_at, ordinal_position, position)
SELECT topic_id, agent_id, willing_camps::text[], signed_up_at, ordinal_position, position
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bigint[]
) AS n (topic_id, agent_id, willing_camps, signed_up_at, ordinal_position, position)
ON CONFLICT (topic_id, agent_id) DO UPDATE
SET willing_camps = excluded.willing_camps, position = excluded.position
WHERE s.position < excluded.position
"""

STATEMENTS = (DELETE, UPSERT)

EVENTS: frozenset[type[TopicEvent]] = frozenset({SignedUp, SignupWithdrawn})


async def project(connection: Connection, batch: Sequence[tuple[Recorded, TopicEvent]]) -> None:
    signed_up: dict[tuple[str, str], Row] = {}
    withdrawn: dict[tuple[str, str], Row] = {}
    for recorded, event in batch:
        if type(event) not in EVENTS:
            continue
        topic_id, position = recorded.stream.id, recorded.position
        match event:
            case SignedUp(agent_id=agent_id):
                earlier = signed_up.get((topic_id, agent_id))
                place = earlier[3:5] if earlier else (event.signed_up_at, position)
                willing = array_literal(event.willing_camps)
                signed_up[topic_id, agent_id] = (topic_id, agent_id, willing, *place, position)
            case SignupWithdrawn(agent_id=agent_id):
                signed_up.pop((topic_id, agent_id), None)
                withdrawn[topic_id, agent_id] = (topic_id, agent_id, position)
            case _:
                pass
    await write(connection, DELETE, list(withdrawn.values()))
    await write(connection, UPSERT, list(signed_up.values()))
