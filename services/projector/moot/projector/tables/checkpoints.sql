-- Where each projection is, and what it set aside. Written by the runner only, in the transaction
-- of the rows it speaks of. Names have no schema: a rebuild makes these tables in another one.

CREATE TABLE projector_checkpoint (
    projection text PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
    epoch bigint NOT NULL DEFAULT 0,
    owner text,
    lease_until timestamptz,
    state text NOT NULL DEFAULT 'live'
        CHECK (state IN ('live', 'rebuilding', 'paused', 'stopped')),
    events_applied bigint NOT NULL DEFAULT 0,
    last_event_at timestamptz,
    head_seen bigint NOT NULL DEFAULT 0,
    error text,
    stream_created_at timestamptz,
    last_event_digest text,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE dead_letters (
    projection text NOT NULL,
    position bigint NOT NULL,
    key text NOT NULL,
    event_id text NOT NULL,
    event_type text,
    subject text NOT NULL,
    reason text NOT NULL,
    -- The position of the bad event that this one waits behind; null for the bad event itself.
    parked_behind bigint,
    stored_at timestamptz NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (projection, position)
);

CREATE INDEX dead_letters_by_key ON dead_letters (projection, key, position);
