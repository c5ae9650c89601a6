"""The view `steps`, as psql and Grafana see it."""

import numpy as np
from batchlab.engines.base import CellBlock
from batchlab_db import experiments, series
from kit import Bench


def filled(bench: Bench) -> str:
    """An experiment of two cells: losses in two stretches, a constant rate, and evaluations at uneven steps."""
    experiment = bench.submit(seeds=2)
    none = np.empty(0, dtype=np.int64)
    losses = np.array([3, np.nan, 1], dtype=np.float32)
    rates = np.full(3, 0.5, dtype=np.float32)
    scores = {"val_loss": np.array([9, 8, 7], dtype=np.float32)}
    with bench.engine.begin() as connection:
        for cell in bench.cells(experiment):
            first = CellBlock(1, {"loss": losses, "lr": rates}, np.array([0, 2, 3]), scores, 3)
            series.write(connection, [(cell["id"], first)])
            series.write(connection, [(cell["id"], CellBlock(4, {"loss": losses[2:]}, none, {}, 4))])
    return experiment


def test_every_value_is_a_row(bench: Bench) -> None:
    experiment = filled(bench)
    rows = bench.sql(
        "SELECT metric, step, value::text FROM steps WHERE experiment_id = :id AND ordinal = 1 ORDER BY metric, step",
        id=experiment,
    )
    assert [tuple(row.values()) for row in rows] == [
        *(("loss", step, value) for step, value in ((1, "3"), (2, "NaN"), (3, "1"), (4, "1"))),
        *(("lr", step, "0.5") for step in (1, 2, 3)),
        *(("val_loss", step, value) for step, value in ((0, "9"), (2, "8"), (3, "7"))),
    ]


def test_rows_name_their_cell(bench: Bench) -> None:
    experiment = filled(bench)
    rows = bench.sql("SELECT DISTINCT experiment_id, cell_id, ordinal FROM steps ORDER BY ordinal")
    assert [tuple(row.values()) for row in rows] == [
        (experiment, cell["id"], cell["ordinal"]) for cell in bench.cells(experiment)
    ]


def test_a_long_constant_is_unrolled(bench: Bench) -> None:
    experiment = bench.submit()
    [cell] = bench.cells(experiment)
    values = np.full(40_000, 0.1, dtype=np.float32)
    with bench.engine.begin() as connection:
        none = np.empty(0, dtype=np.int64)
        series.write(connection, [(cell["id"], CellBlock(1, {"lr": values}, none, {}, 40_000))])
    query = "SELECT count(DISTINCT step) AS n, min(step) AS a, max(step) AS b, count(DISTINCT value) AS v FROM steps"
    [row] = bench.sql(query)
    assert tuple(row.values()) == (40_000, 1, 40_000, 1)


def test_of_equal_series_each_has_its_rows(bench: Bench) -> None:
    experiment = bench.submit()
    [cell] = bench.cells(experiment)
    values = np.array([3, np.nan, 1], dtype=np.float32)
    with bench.engine.begin() as connection:
        none = np.empty(0, dtype=np.int64)
        series.write(connection, [(cell["id"], CellBlock(1, {"loss": values, "twin": values}, none, {}, 3))])
    rows = bench.sql("SELECT metric, step, value::text FROM steps ORDER BY metric, step")
    expected = [(step, value) for step, value in ((1, "3"), (2, "NaN"), (3, "1"))]
    assert [tuple(row.values()) for row in rows] == [(name, *each) for name in ("loss", "twin") for each in expected]


def test_deleted_experiments_are_not_shown(bench: Bench) -> None:
    experiment = filled(bench)
    experiments.cancel(bench.engine, experiment)
    experiments.delete(bench.engine, experiment)
    assert bench.sql("SELECT * FROM steps") == []
