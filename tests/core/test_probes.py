"""Probes that look at more than norms: directions, roughness, and further gradients at evaluations."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from batchlab.cell import Cell
from batchlab.engines.batches import batches
from batchlab.engines.task import Task

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Any]
MOVING = {"kind": "mlp", "widths": [8], "dropout": 0.5, "norm": {"kind": "batch"}}


def gradients(cell: Cell, folder: Path, updates: int) -> list[Any]:
    """The gradient of each batch of a run of plain descent, written out again."""
    task, found = Task(cell, cell.dataset.load(folder), torch.device("cpu")), []
    for step, rate, _, rows in batches(cell, 0, torch.device("cpu")):
        if step > updates:
            break
        task.set_rate(rate)
        task.begin(step, cell.examples(step - 1))
        task.backward(rows)
        found.append(task.gradient().double().numpy())
        task.step()
    return found


def test_a_direction_is_compared_with_that_of_the_batch_before(cells: Cells, train: Train, tmp_path: Path) -> None:
    (cell,) = cells(batch_sizes=[4], probes=[{"kind": "direction"}])
    done = train(cell)
    found = gradients(cell, tmp_path, 30)
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairwise(found)]
    curve = done.curve("grad_cosine")
    assert np.isnan(curve[0])
    np.testing.assert_allclose(curve[1:], cosines, atol=1e-5)
    assert done.result["mean_grad_cosine"] == pytest.approx(np.mean(cosines), abs=1e-5)


def test_roughness_is_how_much_the_logarithm_of_the_loss_changes(cells: Cells, train: Train) -> None:
    (cell,) = cells(batch_sizes=[4], probes=[{"kind": "roughness"}])
    done = train(cell)
    changes = np.abs(np.diff(np.log(done.curve("loss").astype(np.float64))))
    np.testing.assert_allclose(done.curve("roughness")[1:], changes, atol=1e-5)
    assert done.result["mean_roughness"] == pytest.approx(changes.mean(), abs=1e-5)


def variance_of_one_row(cell: Cell, folder: Path) -> float:
    """tr Sigma at the initial weights, row by row."""
    task = Task(cell, cell.dataset.load(folder), torch.device("cpu"))
    rows = []
    for row in range(cell.rows):
        task.backward(torch.tensor([row]))
        rows.append(task.gradient().double().numpy())
    return float(np.var(rows, axis=0).sum())


@pytest.mark.parametrize("batch", [1, 16])
def test_the_variance_of_a_gradient_is_that_of_a_row_over_the_batch(
    batch: int, cells: Cells, train: Train, tmp_path: Path
) -> None:
    """1000 batches of a heavy-tailed square: a relative standard error of a few hundredths."""
    (cell,) = cells(
        batch_sizes=[batch], probes=[{"kind": "gradient_variance", "batches": 1000}],
        budget={"steps": 1}, evaluate={"every_steps": 1}, dataset={"kind": "sectors"},
    )  # fmt: skip
    expected = variance_of_one_row(cell, tmp_path) / batch * (cell.rows - batch) / (cell.rows - 1)
    assert train(cell).curve("grad_variance")[0] == pytest.approx(expected, rel=0.1)


def test_a_batch_of_all_rows_has_the_full_gradient(cells: Cells, train: Train) -> None:
    (cell,) = cells(batch_sizes=["full"], probes=[{"kind": "grad_norm"}, {"kind": "gradient_variance", "batches": 2}])
    done = train(cell)
    assert done.curve("grad_variance").max() < 1e-12
    np.testing.assert_allclose(done.curve("grad_agreement"), 1, atol=1e-6)
    assert done.curve("full_grad_norm")[0] == pytest.approx(done.curve("grad_norm")[0], rel=1e-5)
    assert done.result["grad_agreement"] == pytest.approx(1, abs=1e-6)
    assert done.result["mean_full_grad_norm"] == pytest.approx(done.curve("full_grad_norm").mean(), rel=1e-5)


def test_what_probes_measure_at_evaluations_leaves_no_trace_in_training(cells: Cells, train: Train) -> None:
    changes = {"dataset": {"kind": "iris"}, "model": MOVING, "batch_sizes": [50], "momentum": 0.9}
    (plain,) = cells(**changes, probes=[])
    (probed,) = cells(**changes, probes=[{"kind": "gradient_variance"}, {"kind": "direction"}, {"kind": "roughness"}])
    without, with_probes = train(plain).bits(), train(probed).bits()
    assert {name: with_probes[name] for name in without} == without
    assert with_probes.keys() - without.keys() == {
        "grad_variance", "grad_agreement", "full_grad_norm", "grad_cosine", "roughness",
    }  # fmt: skip
