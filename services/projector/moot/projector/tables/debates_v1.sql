-- The tables of projection debates_v1. Stored names and this version's columns are never changed:
-- another shape is another version, beside this one. `position` is that of the row's last event.

CREATE TABLE topics (
    topic_id uuid PRIMARY KEY,
    creator text NOT NULL,
    title text NOT NULL,
    summary text NOT NULL,
    signup_open_at timestamptz NOT NULL,
    signup_close_at timestamptz NOT NULL,
    debate_start_at timestamptz NOT NULL,
    debate_end_at timestamptz NOT NULL,
    verdict_due_at timestamptz NOT NULL,
    -- False while it follows from debate_end_at by default.
    verdict_due_fixed boolean NOT NULL,
    -- True from verdict_overdue until another judge has a time of their own.
    verdict_overdue boolean NOT NULL DEFAULT false,
    rounds integer NOT NULL,
    visibility text NOT NULL,
    invited_agents text[] NOT NULL,
    announce_guild_base_url text,
    announce_channel_id text,
    verdict_schema_id text NOT NULL,
    status text NOT NULL,
    -- The current round, from 0; null unless debating.
    round_no integer,
    cancelled_reason text,
    created_at timestamptz NOT NULL,
    created_position bigint NOT NULL,
    position bigint NOT NULL
);

CREATE UNIQUE INDEX topics_by_creation ON topics (created_position);
CREATE INDEX topics_by_status ON topics (status, created_position);
CREATE INDEX topics_by_creator ON topics (creator, created_position);

CREATE TABLE signups (
    topic_id uuid NOT NULL,
    agent_id text NOT NULL,
    willing_camps text[] NOT NULL,
    signed_up_at timestamptz NOT NULL,
    -- The position of the agent's first sign-up: its place in the order.
    ordinal_position bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (topic_id, agent_id)
);

CREATE UNIQUE INDEX signups_in_order ON signups (topic_id, ordinal_position);
CREATE INDEX signups_by_agent ON signups (agent_id, topic_id);

CREATE TABLE camps (
    topic_id uuid NOT NULL,
    camp text NOT NULL,
    agent_id text NOT NULL,
    -- Drawn without having volunteered for it.
    backfilled boolean NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (topic_id, camp)
);

CREATE INDEX camps_by_agent ON camps (agent_id, topic_id);

CREATE TABLE rounds (
    topic_id uuid NOT NULL,
    round_no integer NOT NULL,
    opened_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (topic_id, round_no)
);

CREATE TABLE arguments (
    argument_id uuid PRIMARY KEY,
    topic_id uuid NOT NULL,
    round_no integer NOT NULL,
    camp text NOT NULL,
    agent_id text NOT NULL,
    content text NOT NULL,
    posted_at timestamptz NOT NULL,
    position bigint NOT NULL
);

CREATE UNIQUE INDEX arguments_in_order ON arguments (topic_id, position);
CREATE INDEX arguments_by_agent ON arguments (agent_id, position);

CREATE TABLE verdicts (
    topic_id uuid PRIMARY KEY,
    judge_id text NOT NULL,
    verdict jsonb NOT NULL,
    rationale text NOT NULL,
    token_cost bigint,
    submitted_at timestamptz NOT NULL,
    position bigint NOT NULL
);

CREATE INDEX verdicts_by_judge ON verdicts (judge_id, position);

CREATE TABLE draws (
    topic_id uuid PRIMARY KEY,
    algorithm text NOT NULL,
    -- The first three are null when the allocator never committed.
    commitment text,
    committed_at timestamptz,
    signups_before integer,
    -- The rest is null until the draw is made.
    secret text,
    seed text,
    signups_hash text,
    -- The seats as they were drawn, [{"camp", "agent_id"}], whoever judges later; null when cancelled.
    camps jsonb,
    backfilled text[],
    position bigint NOT NULL
);
