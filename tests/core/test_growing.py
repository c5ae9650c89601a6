"""Batches that grow when they are found too noisy: what is measured, what follows, and how a run is taken up."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from batchlab import state
from batchlab.batch_plan import Run
from batchlab.batch_schedules import BatchSchedule
from batchlab.cell import Cell
from batchlab.engines.growing import measure
from batchlab.engines.task import Task
from batchlab.errors import SpecError
from pydantic import TypeAdapter
from torch.func import functional_call, grad, vmap

from tests.core.conftest import Trained

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Trained]
ADAPTIVE = {
    "engine": "reference",
    "batch_sizes": [10],
    "budget": {"epochs": 6},
    "evaluate": {"every_epochs": 1},
    "batch_schedule": {"kind": "norm_test", "theta": 0.7, "every": 5, "sample": 10},
}


def rule(**document: Any) -> Any:
    return TypeAdapter(BatchSchedule).validate_json(TypeAdapter(dict).dump_json(document))


def gradients(task: Task, rows: torch.Tensor) -> torch.Tensor:
    """Each row's gradient by torch.func, flat: (rows, numbers)."""
    weights = {name: p.detach() for name, p in task.net.named_parameters()}

    def loss(weights: Any, x: Any, target: Any) -> Any:
        return task.loss(functional_call(task.net, weights, (x[None],)), target[None], "mean")

    found = vmap(grad(loss), (None, 0, 0))(weights, task.train.x[rows], task.train.targets[rows])
    return torch.cat([values.flatten(1) for values in found.values()], dim=1).double()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_look_measures_what_single_gradients_say(cells: Cells, reduction: str) -> None:
    (cell,) = cells(model={"kind": "mlp", "widths": [5]}, precision="float64", reduction=reduction)
    task = Task(cell, cell.dataset.load(Path()), torch.device("cpu"))
    rows = torch.arange(40)
    task.backward(rows)
    own, g = gradients(task, rows[:16]), gradients(task, rows).mean(0)
    spread, along, norm = measure(task, rows, 16)
    assert spread == pytest.approx(float(own.var(0).sum()), rel=1e-9)
    assert along == pytest.approx(float((own @ g).var()), rel=1e-9)
    assert norm == pytest.approx(float(g.norm()), rel=1e-9)


def test_the_tests_ask_for_the_batch_that_passes_them() -> None:
    run = Run(1000, 10, 10_000, "rows")
    norm, inner = rule(kind="norm_test", theta=0.5), rule(kind="inner_product_test", theta=0.5)
    assert norm.grown(10, run, (8.0, 9.0, 1.0)) == 32  # 8 / (0.25 * 1)
    assert inner.grown(10, run, (8.0, 9.0, 2.0)) == 10  # 9 / (0.25 * 16) = 2.25: large enough already
    assert inner.grown(10, run, (8.0, 90.0, 2.0)) == 23
    assert norm.grown(10, run, (8.0, 9.0, 0.0)) == 1000
    assert rule(kind="norm_test", maximum=0.05).grown(10, run, (8.0, 9.0, 1e-9)) == 50


def test_a_noisy_batch_grows_and_the_run_sees_the_rows_of_its_budget(cells: Cells, train: Train) -> None:
    (cell,) = cells(**ADAPTIVE)
    done = train(cell)
    sizes = done.curve("batch_size")
    assert sizes.sum() == 6 * 800
    assert done.result["final_batch_size"] > 10 and sizes[:5].tolist() == [10.0] * 5
    assert done.result["updates"] == len(sizes) < cell.steps == 6 * 80
    ends = np.concatenate([[0], np.cumsum(sizes)])
    assert [ends[step] for step in done.evaluated_at] == [0, 800, 1600, 2400, 3200, 4000, 4800]
    assert set(range(0, 4801, 800)) <= set(ends.astype(int).tolist())


def test_a_batch_that_is_never_too_noisy_trains_as_one_that_stays(cells: Cells, train: Train) -> None:
    (still,) = cells(**ADAPTIVE | {"batch_schedule": {"kind": "constant"}})
    (calm,) = cells(**ADAPTIVE | {"batch_schedule": {"kind": "norm_test", "theta": 1e6}})
    assert train(calm).bits() == train(still).bits()


def test_an_adaptive_run_is_taken_up_anywhere_with_what_it_decided(cells: Cells, train: Train) -> None:
    (cell,) = cells(**ADAPTIVE, schedule={"kind": "cosine"}, momentum=0.5)
    whole, parts = train(cell), train(cell, block_steps=7)
    assert parts.bits() == whole.bits()
    for taken in (0, 3, len(parts.states) - 2):
        kept = state.from_bytes(state.to_bytes(parts.states[taken]))
        rest = train(cell, state=kept)
        first = sum(len(block.updates["loss"]) for block in parts.blocks[: taken + 1])
        for metric in ("batch_size", "lr", "loss"):
            assert rest.curve(metric).tobytes() == whole.curve(metric)[first:].tobytes(), metric
        assert rest.result["final_batch_size"] == whole.result["final_batch_size"]


def test_a_maximum_below_the_batch_is_refused(cells: Cells) -> None:
    with pytest.raises(SpecError, match=r"batch_schedule\.maximum: is 8 rows, fewer than the batch size 10"):
        cells(**ADAPTIVE | {"batch_schedule": {"kind": "norm_test", "maximum": 0.01}})
