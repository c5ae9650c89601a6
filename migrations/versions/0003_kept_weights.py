"""Kept weights: each content once, and which cell had it after how many updates."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NOW = sa.text("clock_timestamp()")


def upgrade() -> None:
    op.create_table(
        "weights",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_weights")),
    )
    op.create_table(
        "weight_parts",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sha256"], ["weights.sha256"], name=op.f("fk_weight_parts_sha256"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sha256", "part", name=op.f("pk_weight_parts")),
    )
    # Weights do not compress: this saves the attempt.
    op.execute("ALTER TABLE weight_parts ALTER COLUMN data SET STORAGE EXTERNAL")
    op.create_table(
        "kept",
        sa.Column("cell_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("labels", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(["cell_id"], ["cells.id"], name=op.f("fk_kept_cell_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sha256"], ["weights.sha256"], name=op.f("fk_kept_sha256")),
        sa.PrimaryKeyConstraint("cell_id", "step", name=op.f("pk_kept")),
    )
    op.create_index(op.f("ix_kept_sha256"), "kept", ["sha256"], unique=False)


def downgrade() -> None:
    for table in ("kept", "weight_parts", "weights"):
        op.drop_table(table)
