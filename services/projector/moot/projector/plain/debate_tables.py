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
)

CAMPS = Table(
    name="camps",
    columns=("topic_id", "camp", "agent_id", "backfilled", "position"),
    key=("topic_id", "camp"),
    category="topic",
    stream_column="topic_id",
)

ROUNDS = Table(
    name="rounds",
    columns=("topic_id", "round_no", "opened_at", "closes_at", "position"),
    key=("topic_id", "round_no"),
    category="topic",
    stream_column="topic_id",
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
)

DEBATE_TABLES = (TOPICS, SIGNUPS, CAMPS, ROUNDS, ARGUMENTS, VERDICTS, DRAWS)
