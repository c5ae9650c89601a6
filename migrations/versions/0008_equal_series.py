"""Of equal series of a cell one is stored, and the others name it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COLUMNS = ("data", "l1", "l2", "l3", "l4", "l5", "l6", "l7")
STEPS = """
    CREATE VIEW steps AS
    SELECT c.experiment_id, c.id AS cell_id, c.ordinal, b.metric,
        b.first + b.stride * (v.place - 1) AS step, v.value
    FROM {blocks} b
    JOIN cells c ON c.id = b.cell_id
    JOIN experiments e ON e.id = c.experiment_id AND e.deleted_at IS NULL
    -- One stored value may stand for n equal ones.
    CROSS JOIN LATERAL unnest(CASE WHEN cardinality(b.data) < b.n THEN array_fill(b.data[1], ARRAY[b.n::int])
                                   ELSE b.data END) WITH ORDINALITY AS v(value, place)
"""
COMMENT = "COMMENT ON VIEW steps IS 'Every measured value: updates count from 1, evaluations also have step 0'"


def upgrade() -> None:
    op.add_column("series_blocks", sa.Column("same_as", sa.Text(), nullable=True))
    op.alter_column("series_blocks", "data", nullable=True)
    op.create_check_constraint(
        op.f("ck_series_blocks_values"), "series_blocks", "(data IS NULL) = (same_as IS NOT NULL)"
    )
    stored = ", ".join(f"CASE WHEN b.same_as IS NULL THEN b.{name} ELSE o.{name} END AS {name}" for name in COLUMNS)
    op.execute(
        f"""
        CREATE VIEW whole_blocks AS SELECT b.cell_id, b.metric, b.first, b.last, b.n, b.stride, {stored}
        FROM series_blocks b
        LEFT JOIN series_blocks o ON o.cell_id = b.cell_id AND o.metric = b.same_as AND o.first = b.first
        """
    )
    op.execute("COMMENT ON VIEW whole_blocks IS 'series_blocks, each with its values'")
    op.create_index(
        "ix_cells_isolated",
        "cells",
        ["experiment_id"],
        postgresql_where=sa.text("isolated AND status IN ('queued','running')"),
    )
    op.execute("DROP VIEW steps")
    op.execute(STEPS.format(blocks="whole_blocks"))
    op.execute(COMMENT)


def downgrade() -> None:
    op.drop_index("ix_cells_isolated", table_name="cells")
    op.execute("DROP VIEW steps")
    op.execute("DROP VIEW whole_blocks")
    op.drop_constraint(op.f("ck_series_blocks_values"), "series_blocks")
    own = ", ".join(f"{name} = o.{name}" for name in COLUMNS)
    op.execute(
        f"""
        UPDATE series_blocks b SET {own} FROM series_blocks o
        WHERE o.cell_id = b.cell_id AND o.metric = b.same_as AND o.first = b.first
        """
    )
    # Of an experiment that is being purged, what holds the values may be gone already.
    op.execute(
        """
        DELETE FROM series_blocks b USING cells c, experiments e
        WHERE b.data IS NULL AND c.id = b.cell_id AND e.id = c.experiment_id AND e.deleted_at IS NOT NULL
        """
    )
    op.alter_column("series_blocks", "data", nullable=False)
    op.drop_column("series_blocks", "same_as")
    op.execute(STEPS.format(blocks="series_blocks"))
    op.execute(COMMENT)
