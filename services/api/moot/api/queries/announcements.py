"""Reads of what was announced of a topic, in the order in which it was asked for."""

from moot.api.queries.checkpoints import ANNOUNCEMENTS, ATTEMPTS, DEBATES, Row
from moot.contracts.ids import TopicId
from moot.runtime.database import Connection, Pool

PROJECTIONS = (ANNOUNCEMENTS, ATTEMPTS, DEBATES)

# Webhooks, and what came of each attempt, are for admins ($4) alone. `unknown`: what is set aside
# of queues without a row; only the Chronicle says what topic those are of.
LIST = """
SELECT
    (
        SELECT CASE WHEN count(*) = 3 THEN min(position) ELSE 0 END
        FROM projector_checkpoint
        WHERE projection IN ('announcements_v1', 'attempts_v1', 'debates_v1')
    ) AS as_of,
    (
        SELECT min(position) FROM dead_letters
        WHERE
            projection = 'debates_v1' AND key = 'topic/' || replace($1::uuid::text, '-', '')
            OR (projection = 'announcements_v1' OR $4 AND projection = 'attempts_v1') AND key IN (
                SELECT 'delivery/' || replace(known.queue_id::text, '-', '')
                FROM announcements AS known
                WHERE
                    known.topic_id = $1::uuid AND ($4 OR known.endpoint ->> 'kind' = 'fabric')
            )
    ) AS parked,
    (
        SELECT array_agg(position ORDER BY position) FROM dead_letters
        WHERE
            projection = 'announcements_v1' AND parked_behind IS NULL
            AND NOT EXISTS (
                SELECT FROM announcements AS known
                WHERE known.queue_id = substring(key FROM '^delivery/([0-9a-f]{32})$')::uuid
            )
    ) AS unknown,
    topics.creator, topics.visibility, topics.invited_agents,
    page.event_id, page.event_type, page.status, page.attempts, page.last_status, page.last_error,
    page.next_attempt_at, page.requested_at, page.settled_at, page.requested_position,
    page.position, page.queue_id, page.endpoint,
    (
        SELECT jsonb_agg(to_jsonb(tried) ORDER BY tried.position)
        FROM delivery_attempts AS tried
        WHERE $4 AND tried.queue_id = page.queue_id AND tried.event_id = page.event_id
    ) AS history
FROM (SELECT) AS always
LEFT JOIN topics ON topics.topic_id = $1::uuid
LEFT JOIN LATERAL (
    SELECT * FROM announcements
    WHERE
        announcements.topic_id = topics.topic_id AND announcements.requested_position > $2
        AND ($4 OR announcements.endpoint ->> 'kind' = 'fabric')
    ORDER BY announcements.requested_position
    LIMIT $3
) AS page ON true
ORDER BY page.requested_position
"""


async def list_announcements(
    database: Pool | Connection, topic_id: TopicId, after: int, limit: int, *, is_admin: bool
) -> list[Row]:
    """Return at least one row; `event_id` is null where nothing was announced."""
    return [*await database.fetch(LIST, topic_id, after, limit, is_admin)]
