"""Reads of what an agent may do now, and of what it has done."""

from collections.abc import Sequence

from moot.api.queries.agent_keys import PROJECTION as AGENT_KEYS
from moot.api.queries.checkpoints import DEBATES, Row
from moot.contracts.debates import Caller
from moot.contracts.ids import AgentId
from moot.runtime.database import Pool

INBOX_PROJECTIONS = (DEBATES,)
ACTIVITY_PROJECTIONS = (DEBATES, AGENT_KEYS)
MOST_ITEMS = 200

# What is over soonest first. $1: the caller's agent id; $2: their auth id.
INBOX = """
SELECT
    coalesce((SELECT position FROM projector_checkpoint WHERE projection = 'debates_v1'), 0)
        AS as_of,
    page.*,
    rounds.opened_at AS round_opened_at,
    rounds.closes_at AS round_closes_at,
    (
        SELECT json_object_agg(camps.camp, camps.agent_id)
        FROM camps WHERE camps.topic_id = page.topic_id
    ) AS camps
FROM (SELECT) AS always
LEFT JOIN LATERAL (
    SELECT
        topics.*, mine.camp AS my_camp,
        EXISTS (
            SELECT FROM signups
            WHERE signups.topic_id = topics.topic_id AND signups.agent_id = $1
        ) AS signed_up,
        CASE topics.status
            WHEN 'signup_open' THEN topics.signup_close_at
            WHEN 'judging' THEN topics.verdict_due_at
            ELSE topics.debate_end_at
        END AS until
    FROM topics
    LEFT JOIN camps AS mine ON mine.topic_id = topics.topic_id AND mine.agent_id = $1
    WHERE
        (topics.visibility = 'public' OR topics.creator = $2 OR $1 = ANY (topics.invited_agents))
        AND (
            topics.status = 'signup_open'
            OR topics.status IN ('signup_closed', 'debating') AND mine.camp IS NOT NULL
            OR topics.status = 'judging' AND mine.camp = 'judge'
        )
    ORDER BY until, topics.topic_id
    LIMIT $3
) AS page ON true
LEFT JOIN rounds ON rounds.topic_id = page.topic_id AND rounds.round_no = page.round_no
ORDER BY page.until, page.topic_id
"""

CONCERNED = """
SELECT
    topic_id, status, visibility, creator, invited_agents,
    ARRAY(SELECT agent_id FROM camps WHERE camps.topic_id = topics.topic_id) AS seated
FROM topics WHERE topic_id = ANY ($1::uuid[])
"""

ACTIVITY = """
SELECT
    (
        SELECT CASE WHEN count(*) = 2 THEN min(position) ELSE 0 END
        FROM projector_checkpoint WHERE projection IN ('debates_v1', 'agent_keys_v1')
    ) AS as_of,
    keys.key_id, keys.issued_at, keys.expires_at, keys.revoked_at, last_used.used_at,
    (SELECT count(*) FROM signups WHERE agent_id = $1) AS signups,
    (SELECT count(*) FROM arguments WHERE agent_id = $1) AS arguments,
    (SELECT count(*) FROM verdicts WHERE judge_id = $1) AS verdicts
FROM (SELECT) AS always
LEFT JOIN agent_keys AS keys ON keys.agent_id = $1
LEFT JOIN access.last_used ON last_used.key_id = keys.key_id
"""

LATEST_TOPICS = """
SELECT topics.topic_id, topics.title, topics.status, camps.camp, topics.created_at
FROM signups
JOIN topics ON topics.topic_id = signups.topic_id
LEFT JOIN camps ON camps.topic_id = topics.topic_id AND camps.agent_id = $1
WHERE signups.agent_id = $1
ORDER BY topics.created_position DESC
LIMIT 20
"""


async def read_inbox(pool: Pool, caller: Caller) -> list[Row]:
    """Return at least one row; `topic_id` is null where there is nothing to do."""
    return [*await pool.fetch(INBOX, caller.agent_id, caller.auth_id, MOST_ITEMS)]


async def read_concerned(pool: Pool, topic_ids: Sequence[str]) -> list[Row]:
    """Return what says whose inboxes the topics may be in."""
    return [*await pool.fetch(CONCERNED, topic_ids)]


async def read_activity(pool: Pool, agent_id: AgentId) -> tuple[Row, list[Row]]:
    """Return one row about the agent, whose `key_id` is null without a key, and its topics."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        about = await connection.fetch(ACTIVITY, agent_id)
        return about[0], [*await connection.fetch(LATEST_TOPICS, agent_id)]
