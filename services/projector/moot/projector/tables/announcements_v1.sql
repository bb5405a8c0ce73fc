-- The table of projection announcements_v1: what was to be told to whom, and what came of it.

CREATE TABLE announcements (
    queue_id uuid NOT NULL,
    event_id uuid NOT NULL,
    topic_id uuid NOT NULL,
    endpoint jsonb NOT NULL,
    event_type text NOT NULL,
    status text NOT NULL CHECK (status IN ('requested', 'retrying', 'delivered', 'failed')),
    attempts integer NOT NULL,
    last_status integer,
    last_error text,
    next_attempt_at timestamptz,
    requested_at timestamptz NOT NULL,
    settled_at timestamptz,
    requested_position bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (queue_id, event_id)
);

CREATE INDEX announcements_by_topic ON announcements (topic_id, requested_position);
CREATE INDEX announcements_by_status ON announcements (status, requested_position);
