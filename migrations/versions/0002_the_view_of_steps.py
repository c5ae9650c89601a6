"""The view `steps`: every stored value as a plain row, for psql and Grafana."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE VIEW steps AS
        SELECT c.experiment_id, c.id AS cell_id, c.ordinal, b.metric,
            b.first + b.stride * (v.place - 1) AS step, v.value
        FROM series_blocks b
        JOIN cells c ON c.id = b.cell_id
        JOIN experiments e ON e.id = c.experiment_id AND e.deleted_at IS NULL
        -- One stored value may stand for n equal ones.
        CROSS JOIN LATERAL unnest(CASE WHEN cardinality(b.data) < b.n THEN array_fill(b.data[1], ARRAY[b.n::int])
                                       ELSE b.data END) WITH ORDINALITY AS v(value, place)
        """
    )
    op.execute("COMMENT ON VIEW steps IS 'Every measured value: updates count from 1, evaluations also have step 0'")


def downgrade() -> None:
    op.execute("DROP VIEW steps")
