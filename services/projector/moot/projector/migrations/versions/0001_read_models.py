"""The read models of debates, deadlines, announcements and agent keys, and the API's own schema."""

from alembic import op

from moot.projector.migrate import run_script
from moot.projector.tables import ddl

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A released version's tables never change (another shape is another version), so the files that a
# rebuild uses are also what is migrated to.
TABLES = ("checkpoints", "debates_v1", "deadlines_v1", "announcements_v1", "agent_keys_v1")

# The API writes here; nothing in it matters if it is lost.
ACCESS = """
CREATE TABLE access.last_used (
    key_id text PRIMARY KEY,
    used_at timestamptz NOT NULL
);
"""


def upgrade() -> None:
    connection = op.get_bind()
    run_script(connection, "CREATE SCHEMA ops; CREATE SCHEMA access;")
    run_script(connection, "SET LOCAL search_path TO ops;")
    for name in TABLES:
        run_script(connection, ddl(name))
    run_script(connection, "SET LOCAL search_path TO DEFAULT;")
    run_script(connection, ACCESS)


def downgrade() -> None:
    run_script(op.get_bind(), "DROP SCHEMA ops CASCADE; DROP SCHEMA access CASCADE;")
