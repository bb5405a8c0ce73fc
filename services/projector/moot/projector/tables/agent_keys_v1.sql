-- The table of projection agent_keys_v1. Only peppered hashes are ever stored.

CREATE TABLE agent_keys (
    agent_id text PRIMARY KEY,
    key_id text NOT NULL UNIQUE,
    key_hash text NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    issued_at timestamptz NOT NULL,
    position bigint NOT NULL
);
