"""Reads of topics, with everything that a topic's view shows."""

from dataclasses import dataclass

from moot.api.queries.checkpoints import DEBATES, Row
from moot.contracts.debates import Caller, Stage, Visibility
from moot.contracts.ids import TopicId
from moot.runtime.database import Connection, Pool

PROJECTIONS = (DEBATES,)

# $2: the caller's agent id, null where it isn't an agent.
ONE = """
SELECT
    coalesce((SELECT position FROM projector_checkpoint WHERE projection = 'debates_v1'), 0)
        AS as_of,
    (
        SELECT min(position) FROM dead_letters
        WHERE projection = 'debates_v1' AND key = 'topic/' || replace($1::uuid::text, '-', '')
    ) AS parked,
    topics.*,
    rounds.opened_at AS round_opened_at,
    rounds.closes_at AS round_closes_at,
    (
        SELECT json_object_agg(camps.camp, camps.agent_id)
        FROM camps WHERE camps.topic_id = topics.topic_id
    ) AS camps,
    EXISTS (
        SELECT FROM signups WHERE signups.topic_id = topics.topic_id AND signups.agent_id = $2
    ) AS signed_up
FROM (SELECT) AS always
LEFT JOIN topics ON topics.topic_id = $1::uuid
LEFT JOIN rounds ON rounds.topic_id = topics.topic_id AND rounds.round_no = topics.round_no
"""

# Newest first, before $1. $2: the caller's agent id; $3: their auth id; $4: whether they may read
# everything, as moot.domain.access_rules.may_read says; $5 stage; $6 visibility;
# $7 only theirs. $9 of at most $8 rows are shown.
LIST = """
WITH page AS (
    SELECT * FROM topics
    WHERE created_position < $1
        AND ($4 OR visibility = 'public' OR creator = $3 OR $2 = ANY (invited_agents))
        AND ($5::text IS NULL OR status = $5)
        AND ($6::text IS NULL OR visibility = $6)
        AND (
            NOT $7::boolean OR creator = $3 OR EXISTS (
                SELECT FROM signups
                WHERE signups.topic_id = topics.topic_id AND signups.agent_id = $2
            )
        )
    ORDER BY created_position DESC
    LIMIT $8
)
SELECT
    coalesce((SELECT position FROM projector_checkpoint WHERE projection = 'debates_v1'), 0)
        AS as_of,
    (
        SELECT min(position) FROM dead_letters
        WHERE projection = 'debates_v1' AND key IN (
            SELECT 'topic/' || replace(page.topic_id::text, '-', '')
            FROM page ORDER BY page.created_position DESC LIMIT $9
        )
    ) AS parked,
    page.*,
    rounds.opened_at AS round_opened_at,
    rounds.closes_at AS round_closes_at,
    (
        SELECT json_object_agg(camps.camp, camps.agent_id)
        FROM camps WHERE camps.topic_id = page.topic_id
    ) AS camps,
    EXISTS (
        SELECT FROM signups WHERE signups.topic_id = page.topic_id AND signups.agent_id = $2
    ) AS signed_up
FROM (SELECT) AS always
LEFT JOIN page ON true
LEFT JOIN rounds ON rounds.topic_id = page.topic_id AND rounds.round_no = page.round_no
ORDER BY page.created_position DESC
"""


@dataclass(frozen=True, slots=True)
class Filter:
    status: Stage | None
    visibility: Visibility | None
    mine: bool


async def read_topic(database: Pool | Connection, topic_id: TopicId, caller: Caller) -> Row:
    """Return one row, whose `topic_id` is null where there is no such topic."""
    rows = await database.fetch(ONE, topic_id, caller.agent_id)
    return rows[0]


async def list_topics(
    database: Pool, wanted: Filter, before: int, shown: int, caller: Caller
) -> list[Row]:
    """Return one row more than are `shown`, if there are as many, and at least one.

    The only one's `topic_id` is null where there are no topics.
    """
    return [
        *await database.fetch(
            LIST,
            before,
            caller.agent_id,
            caller.auth_id,
            caller.is_admin,
            wanted.status,
            wanted.visibility,
            wanted.mine,
            shown + 1,
            shown,
        )
    ]
