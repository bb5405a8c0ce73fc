"""Reads of a topic's verdict."""

from moot.api.queries.checkpoints import DEBATES, Row
from moot.contracts.ids import TopicId
from moot.runtime.database import Connection, Pool

PROJECTIONS = (DEBATES,)

ONE = """
SELECT
    coalesce((SELECT position FROM projector_checkpoint WHERE projection = 'debates_v1'), 0)
        AS as_of,
    (
        SELECT min(position) FROM dead_letters
        WHERE projection = 'debates_v1' AND key = 'topic/' || replace($1::uuid::text, '-', '')
    ) AS parked,
    topics.creator, topics.visibility, topics.invited_agents,
    verdicts.judge_id, verdicts.verdict, verdicts.rationale, verdicts.token_cost,
    verdicts.submitted_at, verdicts.position
FROM (SELECT) AS always
LEFT JOIN topics ON topics.topic_id = $1::uuid
LEFT JOIN verdicts ON verdicts.topic_id = topics.topic_id
"""


async def read_verdict(database: Pool | Connection, topic_id: TopicId) -> Row:
    """Return one row, whose `judge_id` is null where there is no verdict."""
    rows = await database.fetch(ONE, topic_id)
    return rows[0]
