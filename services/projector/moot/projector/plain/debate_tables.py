"""The tables of `debates_v1`."""

from moot.projector.plain.table import Table

TOPICS = Table(
    name="topics",
    columns=(
        "topic_id",
        "creator",
        "title",
        "summary",
        "signup_open_at",
        "signup_close_at",
        "debate_start_at",
        "debate_end_at",
        "verdict_due_at",
        "verdict_due_fixed",
        "verdict_overdue",
        "rounds",
        "visibility",
        "invited_agents",
        "announce_guild_base_url",
        "announce_channel_id",
        "verdict_schema_id",
        "status",
        "round_no",
        "cancelled_reason",
        "created_at",
        "created_position",
        "position",
    ),
    key=("topic_id",),
    category="topic",
    stream_column="topic_id",
    everything="SELECT * FROM topics",
    of_streams="SELECT * FROM topics WHERE topic_id = ANY ($1::uuid[])",
    between="SELECT * FROM topics WHERE ctid BETWEEN $1 AND $2",
)

SIGNUPS = Table(
    name="signups",
    columns=(
        "topic_id",
        "agent_id",
        "willing_camps",
        "signed_up_at",
        "ordinal_position",
        "position",
    ),
    key=("topic_id", "agent_id"),
    category="topic",
    stream_column="topic_id",
    everything="SELECT * FROM signups",
    of_streams="SELECT * FROM signups WHERE topic_id = ANY ($1::uuid[])",
    between="SELECT * FROM signups WHERE ctid BETWEEN $1 AND $2",
)

CAMPS = Table(
    name="camps",
    columns=("topic_id", "camp", "agent_id", "backfilled", "position"),
    key=("topic_id", "camp"),
    category="topic",
    stream_column="topic_id",
    everything="SELECT * FROM camps",
    of_streams="SELECT * FROM camps WHERE topic_id = ANY ($1::uuid[])",
    between="SELECT * FROM camps WHERE ctid BETWEEN $1 AND $2",
)

ROUNDS = Table(
    name="rounds",
    columns=("topic_id", "round_no", "opened_at", "closes_at", "position"),
    key=("topic_id", "round_no"),
    category="topic",
    stream_column="topic_id",
    everything="SELECT * FROM rounds",
    of_streams="SELECT * FROM rounds WHERE topic_id = ANY ($1::uuid[])",
    between="SELECT * FROM rounds WHERE ctid BETWEEN $1 AND $2",
)

ARGUMENTS = Table(
    name="arguments",
    columns=(
        "argument_id",
        "topic_id",
        "round_no",
        "camp",
        "agent_id",
        "content",
        "posted_at",
        "position",
    ),
    key=("argument_id",),
    category="topic",
    stream_column="topic_id",
    everything="SELECT * FROM arguments",
    of_streams="SELECT * FROM arguments WHERE topic_id = ANY ($1::uuid[])",
    between="SELECT * FROM arguments WHERE ctid BETWEEN $1 AND $2",
)

VERDICTS = Table(
    name="verdicts",
    columns=(
        "topic_id",
        "judge_id",
        "verdict",
        "rationale",
        "token_cost",
        "submitted_at",
        "position",
    ),
    key=("topic_id",),
    category="topic",
    stream_column="topic_id",
    everything="SELECT * FROM verdicts",
    of_streams="SELECT * FROM verdicts WHERE topic_id = ANY ($1::uuid[])",
    between="SELECT * FROM verdicts WHERE ctid BETWEEN $1 AND $2",
)

DRAWS = Table(
    name="draws",
    columns=(
        "topic_id",
        "algorithm",
        "commitment",
        "committed_at",
        "signups_before",
        "secret",
        "seed",
        "signups_hash",
        "camps",
        "backfilled",
        "position",
    ),
    key=("topic_id",),
    category="topic",
    stream_column="topic_id",
    everything="SELECT * FROM draws",
    of_streams="SELECT * FROM draws WHERE topic_id = ANY ($1::uuid[])",
    between="SELECT * FROM draws WHERE ctid BETWEEN $1 AND $2",
)

DEBATE_TABLES = (TOPICS, SIGNUPS, CAMPS, ROUNDS, ARGUMENTS, VERDICTS, DRAWS)
