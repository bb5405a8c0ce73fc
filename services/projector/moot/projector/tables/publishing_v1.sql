-- The tables of projection publishing_v1: who may publish, as peppered hashes, and what has been
-- published, so that a repeat is known however late it comes.

CREATE TABLE publishers (
    publisher text PRIMARY KEY,
    stream_id text NOT NULL,
    categories text[] NOT NULL,
    -- None: all that may be published in the categories.
    types text[] NOT NULL,
    key_id text NOT NULL UNIQUE,
    key_hash text NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    issued_at timestamptz NOT NULL,
    position bigint NOT NULL
);

CREATE TABLE published_events (
    position bigint PRIMARY KEY,
    -- Derived from the publisher, and the source and id that it gave the event.
    command_id uuid NOT NULL,
    content_hash text NOT NULL,
    category text NOT NULL,
    stream_id text NOT NULL
);

CREATE INDEX published_events_by_command_id ON published_events (command_id);
