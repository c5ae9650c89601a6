"""Kept weights may lie outside the database, at a URL."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("weights", sa.Column("url", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("weights", "url")
