"""Each projection's tables in a schema of their own, the first generation; views of them in ops."""

from alembic import op
from sqlalchemy import Connection, text

from moot.projector.migrate import run_script
from moot.projector.tables import ddl

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = {
    "agent_keys_v1": ("agent_keys",),
    "announcements_v1": ("announcements",),
    "deadlines_v1": ("deadlines",),
    "debates_v1": ("topics", "signups", "camps", "rounds", "arguments", "verdicts", "draws"),
}

# Owners are fenced: they look for the new place.
MOVE_PROGRESS = """
CREATE SCHEMA {schema};
SET LOCAL search_path TO {schema};
{ddl}
INSERT INTO projector_checkpoint SELECT * FROM ops.projector_checkpoint
WHERE projection = '{projection}';
UPDATE projector_checkpoint SET epoch = epoch + 1, owner = NULL, lease_until = NULL;
INSERT INTO projector_checkpoint (projection) VALUES ('{projection}') ON CONFLICT DO NOTHING;
INSERT INTO dead_letters SELECT * FROM ops.dead_letters WHERE projection = '{projection}';
INSERT INTO ops.projection_generations (projection, generation, role, promoted_at)
VALUES ('{projection}', 1, 'serving', clock_timestamp());
"""

MOVE_BACK = """
INSERT INTO projector_checkpoint SELECT * FROM {schema}.projector_checkpoint;
UPDATE projector_checkpoint
SET epoch = epoch + 1, owner = NULL, lease_until = NULL
WHERE projection = '{projection}';
INSERT INTO dead_letters SELECT * FROM {schema}.dead_letters;
"""


def upgrade() -> None:
    connection = op.get_bind()
    run_script(connection, "SET LOCAL search_path TO ops;" + ddl("generations"))
    for projection, tables in TABLES.items():
        schema = f"ops_{projection}_1"
        moved = {"schema": schema, "projection": projection, "ddl": ddl("checkpoints")}
        run_script(connection, MOVE_PROGRESS.format(**moved))
        for table in tables:
            run_script(connection, f"ALTER TABLE ops.{table} SET SCHEMA {schema};")
    run_script(connection, "DROP TABLE ops.projector_checkpoint, ops.dead_letters;")
    for projection in TABLES:
        run_script(connection, f"SELECT ops.show_serving('{projection}');")
    run_script(connection, "SET LOCAL search_path TO DEFAULT;")


def downgrade() -> None:
    connection = op.get_bind()
    serving = _serving(connection)
    for table in (*(t for tables in TABLES.values() for t in tables), *PROGRESS):
        run_script(connection, f"DROP VIEW ops.{table};")
    run_script(connection, "SET LOCAL search_path TO ops;" + ddl("checkpoints"))
    for projection, tables in TABLES.items():
        schema = serving[projection]
        run_script(connection, MOVE_BACK.format(schema=schema, projection=projection))
        for table in tables:
            run_script(connection, f"ALTER TABLE {schema}.{table} SET SCHEMA ops;")
    for schema in _all_schemas(connection):
        run_script(connection, f"DROP SCHEMA {schema} CASCADE;")
    run_script(
        connection,
        "DROP TABLE projection_generations, projection_verification;"
        "DROP FUNCTION show_serving(text);"
        "SET LOCAL search_path TO DEFAULT;",
    )


PROGRESS = ("projector_checkpoint", "dead_letters")


def _serving(connection: Connection) -> dict[str, str]:
    found = connection.execute(
        text("SELECT projection, schema FROM ops.projection_generations WHERE role = 'serving'")
    )
    return {row.projection: row.schema for row in found}


def _all_schemas(connection: Connection) -> list[str]:
    found = connection.execute(text("SELECT schema FROM ops.projection_generations"))
    return [row.schema for row in found]
