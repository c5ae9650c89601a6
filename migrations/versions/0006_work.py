"""What an update takes by a guess, so that the time left counts large batches for what they are."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Cells that are there count by their updates, as they did.
    op.add_column("cells", sa.Column("work", sa.Float(), server_default=sa.text("0.0001"), nullable=False))
    op.add_column("slices", sa.Column("work", sa.Float(), server_default=sa.text("0"), nullable=False))
    op.execute("UPDATE slices SET work = 0.0001 * updates")
    # Speeds were updates a second.
    op.execute("UPDATE workers SET speeds = '{}'")


def downgrade() -> None:
    op.drop_column("slices", "work")
    op.drop_column("cells", "work")
    op.execute("UPDATE workers SET speeds = '{}'")
