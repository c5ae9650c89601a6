"""The tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "experiments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("study", sa.Text(), nullable=True),
        sa.Column("spec", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("metrics", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cells_total", sa.Integer(), nullable=False),
        sa.Column("updates_total", sa.BigInteger(), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("outcome IN ('succeeded','failed','cancelled')", name=op.f("ck_experiments_outcome")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiments")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("ix_experiments_created", "experiments", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_experiments_open",
        "experiments",
        ["priority", "served_at"],
        unique=False,
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_index("ix_experiments_tags", "experiments", ["tags"], unique=False, postgresql_using="gin")
    op.create_table(
        "facts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_sha256", sa.Text(), nullable=False),
        sa.Column("experiment_id", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("queues", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("fingerprint", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("datasets", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="idle", nullable=False),
        sa.Column("cohort_id", sa.BigInteger(), nullable=True),
        sa.Column("speeds", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "heartbeat_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "cohorts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("experiment_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="running", nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("worker_id", sa.Text(), nullable=True),
        sa.Column("machine", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ready_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("losses", sa.Integer(), server_default="0", nullable=False),
        sa.Column("progressed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("isolated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("fingerprint", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("phase", sa.Text(), nullable=True),
        sa.CheckConstraint("status IN ('ready','running','done')", name=op.f("ck_cohorts_status")),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_cohorts_experiment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cohorts")),
        postgresql_with={"fillfactor": 50, "autovacuum_vacuum_scale_factor": 0.01},
    )
    op.create_index(op.f("ix_cohorts_experiment_id"), "cohorts", ["experiment_id"], unique=False)
    op.create_index(
        "ix_cohorts_status",
        "cohorts",
        ["status", "experiment_id"],
        unique=False,
        postgresql_where=sa.text("status <> 'done'"),
    )
    op.create_table(
        "slices",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("experiment_id", sa.Text(), nullable=False),
        sa.Column("cohort_id", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("updates", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("blocks", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_slices_experiment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slices")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(op.f("ix_slices_experiment_id"), "slices", ["experiment_id"], unique=False)
    op.create_index(
        "ix_slices_open", "slices", ["cohort_id"], unique=False, postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_table(
        "cells",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("experiment_id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=True),
        sa.Column("batch_size", sa.BigInteger(), nullable=False),
        sa.Column("lr", sa.Double(), nullable=False),
        sa.Column("momentum", sa.Double(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("point", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("stack_key", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("isolated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("cohort_id", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("status", sa.Text(), server_default="queued", nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("engine", sa.Text(), nullable=True),
        sa.Column("shared_with", sa.Integer(), nullable=True),
        sa.Column("environment", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("steps_done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("steps_total", sa.BigInteger(), nullable=False),
        sa.Column("rewind", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('queued','running','succeeded','diverged','failed','cancelled')", name=op.f("ck_cells_status")
        ),
        sa.ForeignKeyConstraint(["cohort_id"], ["cohorts.id"], name=op.f("fk_cells_cohort_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_cells_experiment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cells")),
        sa.UniqueConstraint("experiment_id", "ordinal", name=op.f("uq_cells_experiment_id_ordinal")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(op.f("ix_cells_cohort_id"), "cells", ["cohort_id"], unique=False)
    op.create_index(
        "ix_cells_open",
        "cells",
        ["experiment_id", "ordinal"],
        unique=False,
        postgresql_where=sa.text("status IN ('queued','running')"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("cohort_id", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("steps", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "written_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["cohort_id"], ["cohorts.id"], name=op.f("fk_checkpoints_cohort_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("cohort_id", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "checkpoint_parts",
        sa.Column("cohort_id", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cohort_id"], ["checkpoints.cohort_id"], name=op.f("fk_checkpoint_parts_cohort_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("cohort_id", "part", name=op.f("pk_checkpoint_parts")),
        postgresql_with={"toast.autovacuum_vacuum_scale_factor": 0.02},
    )
    op.create_table(
        "series_blocks",
        sa.Column("cell_id", sa.BigInteger(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("stride", sa.BigInteger(), nullable=False),
        sa.Column("data", postgresql.ARRAY(sa.REAL()), nullable=False),
        sa.Column("l1", postgresql.ARRAY(sa.REAL()), nullable=True),
        sa.Column("l2", postgresql.ARRAY(sa.REAL()), nullable=True),
        sa.Column("l3", postgresql.ARRAY(sa.REAL()), nullable=True),
        sa.Column("l4", postgresql.ARRAY(sa.REAL()), nullable=True),
        sa.Column("l5", postgresql.ARRAY(sa.REAL()), nullable=True),
        sa.Column("l6", postgresql.ARRAY(sa.REAL()), nullable=True),
        sa.Column("l7", postgresql.ARRAY(sa.REAL()), nullable=True),
        sa.ForeignKeyConstraint(["cell_id"], ["cells.id"], name=op.f("fk_series_blocks_cell_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("cell_id", "metric", "first", name=op.f("pk_series_blocks")),
    )
    # A training state does not compress, nor do measured values: kept as they are, outside the row.
    op.execute("ALTER TABLE checkpoint_parts ALTER COLUMN data SET STORAGE EXTERNAL")
    for column in ("data", "l1", "l2", "l3", "l4", "l5", "l6", "l7"):
        op.execute(f"ALTER TABLE series_blocks ALTER COLUMN {column} SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.drop_table("series_blocks")
    op.drop_table("checkpoint_parts")
    op.drop_table("checkpoints")
    op.drop_index("ix_cells_open", table_name="cells", postgresql_where=sa.text("status IN ('queued','running')"))
    op.drop_index(op.f("ix_cells_cohort_id"), table_name="cells")
    op.drop_table("cells")
    op.drop_index("ix_slices_open", table_name="slices", postgresql_where=sa.text("ended_at IS NULL"))
    op.drop_index(op.f("ix_slices_experiment_id"), table_name="slices")
    op.drop_table("slices")
    op.drop_index("ix_cohorts_status", table_name="cohorts", postgresql_where=sa.text("status <> 'done'"))
    op.drop_index(op.f("ix_cohorts_experiment_id"), table_name="cohorts")
    op.drop_table("cohorts")
    op.drop_table("workers")
    op.drop_table("idempotency_keys")
    op.drop_table("facts")
    op.drop_index("ix_experiments_tags", table_name="experiments", postgresql_using="gin")
    op.drop_index("ix_experiments_open", table_name="experiments", postgresql_where=sa.text("outcome IS NULL"))
    op.drop_index("ix_experiments_created", table_name="experiments")
    op.drop_table("experiments")
