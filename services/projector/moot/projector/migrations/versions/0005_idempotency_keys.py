"""What was answered to each idempotency key, for a day. The API alone writes it."""

from alembic import op

from moot.projector.migrate import run_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Nothing in it matters if it is lost: a command's id follows from caller and key.
TABLE = """
CREATE TABLE access.idempotency_keys (
    caller text NOT NULL,
    key text NOT NULL,
    -- SHA-256 of method, address and body.
    fingerprint bytea NOT NULL,
    -- Of whoever carries the request out, or did.
    claim text NOT NULL,
    -- Before all time: it was refused, and anybody may claim it.
    claimed_at timestamptz NOT NULL,
    -- The answer, null while there is none; without a body where that shows a secret.
    status smallint,
    headers text,
    body bytea,
    PRIMARY KEY (caller, key)
);

CREATE INDEX idempotency_keys_by_age ON access.idempotency_keys (claimed_at);
"""


def upgrade() -> None:
    run_script(op.get_bind(), TABLE)


def downgrade() -> None:
    run_script(op.get_bind(), "DROP TABLE access.idempotency_keys;")
