"""Reads of a topic's draw, with the sign-ups that it was drawn from."""

from moot.api.queries.checkpoints import DEBATES, Row
from moot.contracts.ids import TopicId
from moot.runtime.database import Connection, Pool

PROJECTIONS = (DEBATES,)

# One row for each sign-up, or one without any.
ONE = """
SELECT
    coalesce((SELECT position FROM projector_checkpoint WHERE projection = 'debates_v1'), 0)
        AS as_of,
    (
        SELECT min(position) FROM dead_letters
        WHERE projection = 'debates_v1' AND key = 'topic/' || replace($1::uuid::text, '-', '')
    ) AS parked,
    topics.creator, topics.visibility, topics.invited_agents, topics.cancelled_reason,
    topics.position AS topic_position,
    draws.algorithm, draws.commitment, draws.committed_at, draws.signups_before, draws.secret,
    draws.seed, draws.signups_hash, draws.camps, draws.backfilled,
    signups.agent_id, signups.willing_camps, signups.signed_up_at, signups.position
FROM (SELECT) AS always
LEFT JOIN topics ON topics.topic_id = $1::uuid
LEFT JOIN draws ON draws.topic_id = topics.topic_id
LEFT JOIN signups ON signups.topic_id = draws.topic_id AND draws.secret IS NOT NULL
ORDER BY signups.ordinal_position
"""


async def read_draw(database: Pool | Connection, topic_id: TopicId) -> list[Row]:
    """Return at least one row.

    Its `algorithm` is null before the commitment, its `secret` before the draw.
    """
    return [*await database.fetch(ONE, topic_id)]
