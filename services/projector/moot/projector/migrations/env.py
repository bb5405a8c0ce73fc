"""How Alembic runs a revision here: one transaction, one migrator at a time, PostgreSQL only."""

from alembic import context
from sqlalchemy import text
from sqlalchemy.engine import Connection

from moot.projector.migrate import MIGRATOR_LOCK, VERSION_TABLE

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table=VERSION_TABLE)
with context.begin_transaction():
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATOR_LOCK})
    context.run_migrations()
