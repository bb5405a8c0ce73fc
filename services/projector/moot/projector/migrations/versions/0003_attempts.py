"""The read model of each attempt to deliver an announcement."""

from alembic import op

from moot.projector.migrate import add_projection, drop_projection

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_projection(op.get_bind(), "attempts_v1")


def downgrade() -> None:
    drop_projection(op.get_bind(), "attempts_v1")
