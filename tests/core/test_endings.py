"""How a cell of the reference engine ends and with which result, when its blocks end, and how its time is counted."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batchlab.cell import Cell
from batchlab.engines.reference import Reference
from batchlab.errors import CellTimeout

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Any]


def test_a_loss_that_is_not_finite_ends_the_cell_with_its_curve(cells: Cells, train: Train) -> None:
    (cell,) = cells(
        dataset={"kind": "diabetes"},
        model={"kind": "linear"},
        lr={"rule": "fixed", "base": 2.0},
        budget={"steps": 200},
    )
    done = train(cell)
    assert done.ending.status == "diverged"
    at = done.result["diverged_at"]
    assert len(done.curve("loss")) == at == done.result["updates"] < 200
    assert not np.isfinite(done.curve("loss")[-1])
    assert np.isfinite(done.curve("loss")[:-1]).all()
    assert done.evaluated_at == list(range(0, at, 10))
    assert [done.result[name] for name in ("train_loss", "val_loss", "val_accuracy")] == [None] * 3
    assert done.result["best_val_loss_step"] == 10
    assert math.isfinite(done.result["mean_grad_norm"])


def test_divergence_is_found_at_the_same_step_wherever_blocks_end(cells: Cells, train: Train) -> None:
    (cell,) = cells(
        dataset={"kind": "diabetes"},
        model={"kind": "linear"},
        lr={"rule": "fixed", "base": 50.0},
        budget={"steps": 200},
    )
    assert train(cell).bits() == train(cell, block_steps=1).bits() == train(cell, block_steps=3).bits()


def test_weights_ruined_by_the_last_update_are_a_divergence(cells: Cells, train: Train) -> None:
    (cell,) = cells(
        dataset={"kind": "diabetes"}, model={"kind": "linear"}, lr={"rule": "fixed", "base": 1e38}, budget={"steps": 1}
    )
    done = train(cell)
    assert (done.ending.status, done.result["diverged_at"]) == ("diverged", 1)


def test_a_target_is_recorded_and_may_end_the_cell(cells: Cells, train: Train) -> None:
    target = {"metric": "val_accuracy", "at_least": 0.6}
    (recorded,) = cells(target=target, evaluate={"every_steps": 1}, batch_sizes=[4])
    (stopped,) = cells(target=target | {"stop": True}, evaluate={"every_steps": 1}, batch_sizes=[4])
    whole, cut = train(recorded), train(stopped)
    step = whole.result["target_step"]
    assert whole.result["updates"] == 30 > step
    assert (cut.result["target_step"], cut.result["updates"], cut.ending.status) == (step, step, "succeeded")
    assert (whole.result["examples_to_target"], whole.result["epochs_to_target"]) == (4 * step, 4 * step / 800)
    assert (whole.result["examples"], whole.result["epochs"]) == (120, 0.15)
    assert cut.curve("val_accuracy")[-1] >= 0.6 > cut.curve("val_accuracy")[:-1].max()
    assert 0 < whole.result["seconds_to_target"] <= whole.states[-1].meta["tally"]["train_seconds"]


def test_a_target_that_is_never_reached_is_null(cells: Cells, train: Train) -> None:
    (cell,) = cells(target={"metric": "train_loss", "at_most": 0.0, "stop": True})
    done = train(cell)
    assert {done.result[key] for key in ("target_step", "epochs_to_target", "seconds_to_target")} == {None}
    assert done.result["updates"] == 30


def test_a_cell_whose_time_is_over_fails_after_its_block(cells: Cells) -> None:
    (cell,) = cells(limits={"seconds_per_cell": 1e-6})
    items = Reference().train([cell], cell.dataset.load(Path()))
    block, _ = next(items)
    assert block.cells[0].steps_done == 1
    with pytest.raises(CellTimeout, match="seconds_per_cell"):
        next(items)


def test_a_block_ends_when_the_time_of_its_cell_is_over(cells: Cells) -> None:
    (cell,) = cells(limits={"seconds_per_cell": 0.05}, budget={"steps": 10**6}, evaluate={"every_steps": 10**6})
    with pytest.raises(CellTimeout, match=r"0\.\d s of 0\.05 s"):
        list(Reference().train([cell], cell.dataset.load(Path()), block_seconds=math.inf, block_steps=10**9))


def test_step_times_are_positive_and_the_first_ten_are_not_averaged(cells: Cells, train: Train) -> None:
    (cell,) = cells()
    done = train(cell)
    seconds = done.curve("step_seconds").astype(np.float64)
    assert (seconds > 0).all()
    assert done.result["seconds_per_update"] == pytest.approx(seconds[10:].mean(), rel=1e-6)
    assert done.result["seconds_per_epoch"] == pytest.approx(8 * seconds[10:].mean(), rel=1e-6)
    assert done.result["timing"] == "step"


def test_a_short_cell_leaves_out_half_of_its_updates_at_most(cells: Cells, train: Train) -> None:
    (cell,) = cells(budget={"steps": 5})
    done = train(cell)
    seconds = done.curve("step_seconds").astype(np.float64)
    assert done.result["seconds_per_update"] == pytest.approx(seconds[2:].mean(), rel=1e-6)


def test_a_resumed_cell_does_not_time_its_first_ten_updates_again(cells: Cells, train: Train) -> None:
    (cell,) = cells()
    first = train(cell, block_steps=12)
    rest = train(cell, state=first.states[0])
    timed = np.concatenate([first.curve("step_seconds")[10:12], rest.curve("step_seconds")[10:]]).astype(np.float64)
    assert rest.result["seconds_per_update"] == pytest.approx(timed.mean(), rel=1e-6)


def test_blocks_end_after_their_seconds_or_steps(cells: Cells, train: Train) -> None:
    (cell,) = cells()
    assert [b.steps_done for b in train(cell, block_steps=12).blocks] == [12, 24, 30]
    assert [b.steps_done for b in train(cell, block_seconds=0.0).blocks] == list(range(1, 31))
    assert [b.first for b in train(cell, block_steps=12).blocks] == [1, 13, 25]


def test_measuring_is_not_counted_as_training(cells: Cells) -> None:
    (cell,) = cells(evaluate={"every_steps": 1})
    ((block, _),) = Reference().train([cell], cell.dataset.load(Path()))
    assert block.train_seconds == pytest.approx(float(block.cells[0].updates["step_seconds"].sum(dtype=np.float64)))
    assert block.measure_seconds > 0


def test_the_best_is_the_first_lowest_with_its_step_and_never_the_start(cells: Cells, train: Train) -> None:
    (cell,) = cells(lr={"rule": "fixed", "base": 40.0}, evaluate={"every_steps": 1}, batch_sizes=[4])
    done = train(cell)
    losses, accuracies = done.curve("val_loss")[1:], done.curve("val_accuracy")[1:]
    assert done.result["best_val_loss"] == pytest.approx(losses.min(), rel=1e-6)
    assert done.result["best_val_loss_step"] == 1 + int(losses.argmin()) < 30
    assert done.result["best_val_accuracy_step"] == 1 + int(accuracies.argmax())
    assert done.result["val_loss"] == pytest.approx(losses[-1], rel=1e-6)
