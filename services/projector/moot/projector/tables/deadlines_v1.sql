-- The table of projection deadlines_v1: the one deadline that each topic or delivery queue waits for.

CREATE TABLE deadlines (
    category text NOT NULL,
    stream_id text NOT NULL,
    -- The ticker's command; null when nothing is due by itself, as due_at is then.
    command text,
    due_at timestamptz,
    round_no integer,
    event_id text,
    -- What the next event is folded onto; null once nothing more can come due.
    timetable jsonb,
    position bigint NOT NULL,
    PRIMARY KEY (category, stream_id)
);

CREATE INDEX deadlines_by_due_at ON deadlines (due_at) WHERE command IS NOT NULL;
