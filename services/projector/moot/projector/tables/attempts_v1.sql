-- The table of projection attempts_v1: each time that an announcement was sent, or was to be.

CREATE TABLE delivery_attempts (
    -- Where it stands in the Chronicle.
    position bigint PRIMARY KEY,
    queue_id uuid NOT NULL,
    event_id uuid NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('failed', 'postponed', 'delivered', 'given_up')),
    -- How many attempts there had been by then, this one too; a postponement isn't one.
    attempt integer,
    status integer,
    error text,
    -- The first 2 KB.
    answer text,
    duration_ms integer,
    at timestamptz NOT NULL,
    next_attempt_at timestamptz
);

CREATE INDEX delivery_attempts_by_announcement
ON delivery_attempts (queue_id, event_id, position);
