"""Reads of what is due next, which projection `deadlines_v1` keeps for the ticker."""

from datetime import datetime

from moot.api.queries.checkpoints import ANNOUNCEMENTS, Row
from moot.contracts.ids import TopicId
from moot.runtime.database import Connection, Pool

DEADLINES = "deadlines_v1"
PROJECTIONS = (DEADLINES, ANNOUNCEMENTS)

LIST = """
SELECT
    (
        SELECT CASE WHEN count(*) = 2 THEN min(position) ELSE 0 END
        FROM projector_checkpoint
        WHERE projection IN ('deadlines_v1', 'announcements_v1')
    ) AS as_of,
    page.*
FROM (SELECT) AS always
LEFT JOIN LATERAL (
    SELECT
        category, stream_id, command, due_at, round_no, event_id, deadlines.position,
        CASE category
            WHEN 'topic' THEN stream_id::uuid
            WHEN 'delivery' THEN (
                SELECT topic_id FROM announcements WHERE queue_id = stream_id::uuid LIMIT 1
            )
        END AS topic_id
    FROM deadlines
    WHERE
        command IS NOT NULL
        AND due_at >= $1 AND (due_at, deadlines.position) > ($1, $2)
        AND (
            $3::uuid IS NULL
            OR category = 'topic' AND stream_id = replace($3::uuid::text, '-', '')
            OR category = 'delivery' AND stream_id IN (
                SELECT replace(queue_id::text, '-', '') FROM announcements WHERE topic_id = $3
            )
        )
    ORDER BY due_at, deadlines.position
    LIMIT $4
) AS page ON true
ORDER BY page.due_at, page.position
"""


async def list_deadlines(
    database: Pool | Connection,
    topic_id: TopicId | None,
    after: tuple[datetime, int],
    limit: int,
) -> list[Row]:
    """Return at least one row, earliest due first; `command` is null where nothing is due."""
    due_at, position = after
    return [*await database.fetch(LIST, due_at, position, topic_id, limit)]
