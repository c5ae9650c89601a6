"""Data sets that users add: their bytes in parts, by SHA-256, and the names under which they are known."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "data_files",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("test_rows", sa.BigInteger(), nullable=False),
        sa.Column("shape", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("classes", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_data_files")),
    )
    op.create_table(
        "data_parts",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sha256"], ["data_files.sha256"], name=op.f("fk_data_parts_sha256"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sha256", "part", name=op.f("pk_data_parts")),
    )
    # Pictures and floats hardly shrink, and trying takes longer than writing them.
    op.execute("ALTER TABLE data_parts ALTER COLUMN data SET STORAGE EXTERNAL")
    op.create_table(
        "data_names",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["sha256"], ["data_files.sha256"], name=op.f("fk_data_names_sha256")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_data_names")),
    )
    op.create_index(op.f("ix_data_names_sha256"), "data_names", ["sha256"], unique=False)


def downgrade() -> None:
    op.drop_table("data_names")
    op.drop_table("data_parts")
    op.drop_table("data_files")
