"""Reads of a topic's arguments, in the order in which they were posted."""

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
    page.argument_id, page.camp, page.agent_id, page.round_no, page.content, page.posted_at,
    page.position
FROM (SELECT) AS always
LEFT JOIN topics ON topics.topic_id = $1::uuid
LEFT JOIN LATERAL (
    SELECT * FROM arguments
    WHERE arguments.topic_id = topics.topic_id AND arguments.position > $2
    ORDER BY arguments.position
    LIMIT $3
) AS page ON true
ORDER BY page.position
"""


async def list_arguments(
    database: Pool | Connection, topic_id: TopicId, after: int, limit: int | None
) -> list[Row]:
    """Return at least one row; `argument_id` is null where there is no argument. None: no limit."""
    return [*await database.fetch(LIST, topic_id, after, limit)]
