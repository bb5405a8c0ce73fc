-- Which copy of a projection's tables readers see. One generation is one copy, in its own schema,
-- with its own checkpoint and dead letters; `ops` has views of those that serve.

CREATE TABLE projection_generations (
    projection text NOT NULL,
    generation integer NOT NULL CHECK (generation > 0),
    schema text NOT NULL GENERATED ALWAYS AS ('ops_' || projection || '_' || generation::text) STORED,
    role text NOT NULL CHECK (role IN ('serving', 'building', 'retired')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    promoted_at timestamptz,
    PRIMARY KEY (projection, generation)
);

CREATE UNIQUE INDEX one_generation_serves ON projection_generations (projection)
    WHERE role = 'serving';
CREATE UNIQUE INDEX one_generation_is_built ON projection_generations (projection)
    WHERE role = 'building';

-- What the last comparison of a serving generation with the Chronicle came to.
CREATE TABLE projection_verification (
    projection text PRIMARY KEY,
    position bigint NOT NULL,
    verified_at timestamptz NOT NULL,
    streams_checked bigint NOT NULL,
    sample boolean NOT NULL,
    differences jsonb NOT NULL
);

-- Makes the views of a projection, and those of all checkpoints and dead letters, show what serves.
-- Replaced rather than dropped, so that grants and prepared statements last. The view of the
-- checkpoints goes first: a reader that has begun with it holds its lock to the end.
CREATE FUNCTION show_serving(shown text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    of_all text;
    name text;
    serving text;
BEGIN
    FOREACH name IN ARRAY ARRAY['projector_checkpoint', 'dead_letters'] LOOP
        SELECT string_agg(
            format('SELECT * FROM %I.%I WHERE projection = %L', g.schema, name, g.projection),
            ' UNION ALL ' ORDER BY g.projection
        ) INTO of_all
        FROM ops.projection_generations AS g WHERE g.role = 'serving';
        EXECUTE format('CREATE OR REPLACE VIEW ops.%I AS ', name) || of_all;
    END LOOP;
    SELECT g.schema INTO serving
    FROM ops.projection_generations AS g WHERE g.projection = shown AND g.role = 'serving';
    FOR name IN
        SELECT t.tablename FROM pg_catalog.pg_tables AS t
        WHERE t.schemaname = serving AND t.tablename NOT IN ('projector_checkpoint', 'dead_letters')
        ORDER BY t.tablename
    LOOP
        EXECUTE format('CREATE OR REPLACE VIEW ops.%I AS SELECT * FROM %I.%I', name, serving, name);
    END LOOP;
END
$$;
