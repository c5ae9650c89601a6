"""Series as they are stored: blocks, constants, levels, and what is refused."""

from dataclasses import asdict

import numpy as np
import pytest
from batchlab.engines.base import CellBlock
from batchlab_db import curves, raw, series
from batchlab_db.curves import Wanted
from batchlab_db.pyramid import levels
from beds import NO_STEPS, Bed, evaluations, noise, updates
from sqlalchemy.exc import IntegrityError


def test_a_block_without_steps_writes_nothing(bed: Bed) -> None:
    bed.write(CellBlock(1, {}, NO_STEPS, {}, 0), updates(1, []), evaluations([], []))
    assert bed.rows() == []


def test_one_block_holds_updates_and_evaluations_of_several_cells(bed: Bed) -> None:
    block = CellBlock(
        1,
        {"loss": np.ones(5, np.float32), "grad_norm/0.weight": np.arange(5, dtype=np.float32)},
        np.array([0, 4]),
        {"val_loss": np.array([3, 2], np.float32)},
        5,
    )
    with bed.engine.begin() as connection:
        series.write(connection, [(cell, block) for cell in bed.cells])
        wanted = [Wanted(cell, metric) for cell in bed.cells for metric in ("grad_norm/0.weight", "val_loss")]
        found = curves.read_many(connection, wanted)
    for norms, losses in zip(found[::2], found[1::2], strict=True):
        assert (norms.steps.tolist(), norms.mean.tolist()) == ([1, 2, 3, 4, 5], [0, 1, 2, 3, 4])
        assert (losses.steps.tolist(), losses.mean.tolist()) == ([0, 4], [3, 2])


def test_a_constant_is_stored_once(bed: Bed) -> None:
    bed.write(updates(1, np.full(10_000, 0.1)), updates(10_001, [-0.0, -0.0, 0.0]))
    rows = bed.rows()
    assert [(row["n"], len(row["data"]), row["l1"]) for row in rows] == [(10_000, 1, None), (3, 3, None)]
    curve = bed.read(points=100)
    assert curve.n_raw == 10_003
    np.testing.assert_array_equal(curve.mean[:-2], np.float32(0.1))


def test_of_equal_series_of_a_cell_one_is_stored(bed: Bed) -> None:
    values = noise(2, 3000, 0.1)
    almost = values.copy()
    almost[1500] = -0.0
    zeros = np.where(np.arange(3000) == 1500, np.float32(0.0), almost)
    parts = {"loss": values, "a": values.copy(), "b": almost, "c": zeros, "d": zeros.copy()}
    block = CellBlock(1, parts, NO_STEPS, {}, 3000)
    with bed.engine.begin() as connection:
        series.write(connection, [(cell, block) for cell in bed.cells])
    named = {(row["cell_id"], row["metric"]): row["same_as"] for row in bed.rows()}
    for cell in bed.cells:
        assert [named[cell, metric] for metric in parts] == [None, "loss", None, None, "c"]
        found = {part.metric: part.values for part in raw.stretches(bed.engine, [cell])}
        assert {metric: own.tobytes() for metric, own in found.items()} == {m: v.tobytes() for m, v in parts.items()}
        with bed.engine.connect() as connection:
            for metric, points in (("loss", 100), ("a", 100), ("a", 5000)):
                curve = curves.read(connection, cell, metric, 10, 2990, points=points)
                own = curves.read(connection, cell, "loss", 10, 2990, points=points)
                np.testing.assert_equal(asdict(curve), asdict(own))


def test_long_blocks_are_cut_so_that_both_ends_of_a_range_are_cheap(bed: Bed) -> None:
    bed.write(updates(1, noise(1, 40_000, 0.0)))
    rows = bed.rows()
    assert max(len(row["data"]) for row in rows) == series.MAX_VALUES
    assert sum(row["n"] for row in rows) == 40_000


@pytest.mark.parametrize("bits", [0x7FC00001, 0xFFC0DEAD, 0x7F800001, 0x80000000, 0x00000001])
def test_every_bit_of_a_value_is_kept(bed: Bed, bits: int) -> None:
    values = np.array([bits, 0x3F800000, bits], dtype=np.uint32).view(np.float32)
    bed.write(updates(1, values), updates(4, values[:1]))
    found = bed.read().mean.view(np.uint32).tolist()
    assert found == [bits, 0x3F800000, bits, bits]


def test_a_metric_with_too_few_values_is_refused_and_nothing_is_written(bed: Bed) -> None:
    short = CellBlock(1, {"loss": np.ones(3, np.float32), "lr": np.ones(2, np.float32)}, NO_STEPS, {}, 3)
    with pytest.raises(ValueError, match=r"lr of cell \d+"):
        bed.write(short)
    assert bed.rows() == []


def test_steps_that_do_not_ascend_are_refused(bed: Bed) -> None:
    with pytest.raises(ValueError, match="ascend"):
        bed.write(evaluations([3, 3], [1, 2]))


def test_a_stretch_is_not_written_twice(bed: Bed) -> None:
    bed.write(updates(1, [1, 2]))
    with pytest.raises(IntegrityError):
        bed.write(updates(1, [1, 2]))
    assert len(bed.rows()) == 1


def test_what_is_written_goes_with_its_transaction(bed: Bed) -> None:
    with bed.engine.connect() as connection:
        series.write(connection, [(bed.cell, updates(1, [1.0]))])
        connection.rollback()
    assert bed.rows() == []
    with bed.engine.connect() as connection:
        series.write(connection, [(bed.cell, updates(1, [1.0]))])
        connection.commit()
    assert len(bed.rows()) == 1


def test_series_end_with_their_cell(bed: Bed) -> None:
    bed.write(updates(1, [1, 2]))
    bed.bench.sql("DELETE FROM cells WHERE id = :id", id=bed.cell)
    assert bed.rows() == []


@pytest.mark.parametrize(
    ("n", "stride", "kept"),
    [
        (1, 1, []),
        (8, 1, []),
        (64, 1, [1, 2]),
        (1000, 1, [1, 2, 3]),
        (16_384, 1, [1, 2, 3, 4]),
        (1000, 80, [3, 4, 5]),
        (1000, 10**9, []),
    ],
)
def test_levels_are_kept_where_they_save_something(n: int, stride: int, kept: list[int]) -> None:
    steps = stride * np.arange(1, n + 1)
    found = levels(steps, noise(0, n, 0.0).reshape(1, -1))
    assert list(found) == kept
    assert all(packed.shape[1] <= n / 4 for packed in found.values())
