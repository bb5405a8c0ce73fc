"""Reads of a topic's sign-ups, in their order."""

from moot.api.queries.checkpoints import DEBATES, Row
from moot.contracts.ids import TopicId
from moot.runtime.database import Connection, Pool

PROJECTIONS = (DEBATES,)

LIST = """
SELECT
    coalesce((SELECT position FROM projector_checkpoint WHERE projection = 'debates_v1'), 0)
        AS as_of,
    (
        SELECT min(position) FROM dead_letters
        WHERE projection = 'debates_v1' AND key = 'topic/' || replace($1::uuid::text, '-', '')
    ) AS parked,
    topics.creator, topics.visibility, topics.invited_agents,
    page.agent_id, page.willing_camps, page.signed_up_at, page.ordinal_position, page.position
FROM (SELECT) AS always
LEFT JOIN topics ON topics.topic_id = $1::uuid
LEFT JOIN LATERAL (
    SELECT * FROM signups
    WHERE signups.topic_id = topics.topic_id AND signups.ordinal_position > $2
    ORDER BY signups.ordinal_position
    LIMIT $3
) AS page ON true
ORDER BY page.ordinal_position
"""


async def list_signups(
    database: Pool | Connection, topic_id: TopicId, after: int, limit: int | None
) -> list[Row]:
    """Return at least one row; `agent_id` is null where there is no sign-up. None is no limit."""
    return [*await database.fetch(LIST, topic_id, after, limit)]
