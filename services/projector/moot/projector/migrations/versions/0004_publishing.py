"""The read model of who may publish, and of what has been published."""

from alembic import op

from moot.projector.migrate import add_projection, drop_projection

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_projection(op.get_bind(), "publishing_v1")


def downgrade() -> None:
    drop_projection(op.get_bind(), "publishing_v1")
