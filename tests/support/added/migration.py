"""How many arguments each agent has posted in each topic."""

from alembic import op

from moot.projector.migrate import add_projection, drop_projection

revision = "9999"
down_revision = "@newest@"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_projection(op.get_bind(), "argument_counts_v1")


def downgrade() -> None:
    drop_projection(op.get_bind(), "argument_counts_v1")
