"""A cell knows everything about its run before it is trained."""

from collections.abc import Callable

import pytest
from batchlab.cell import Cell, Target

Cells = Callable[..., tuple[Cell, ...]]


@pytest.mark.parametrize(("steps", "rows"), [(0, 0), (1, 96), (8, 768), (9, 800), (10, 896), (18, 1600)])
def test_it_counts_the_rows_seen(steps: int, rows: int, cells: Cells) -> None:
    (cell,) = cells(batch_sizes=[96])
    assert cell.examples(steps) == rows


@pytest.mark.parametrize(("device", "queue"), [("auto", "any"), ("cpu", "cpu"), ("cuda", "gpu"), ("cuda:1", "gpu")])
def test_it_names_the_workers_that_may_train_it(device: str, queue: str, cells: Cells) -> None:
    (cell,) = cells(device=device)
    assert cell.queue == queue


def test_every_cell_of_the_reference_is_a_cohort_of_its_own(cells: Cells) -> None:
    keys = {cell.stack_key for cell in cells(seeds=3, batch_sizes=[1, 2], engine="reference")}
    assert len(keys) == 6


def test_it_describes_its_point(cells: Cells) -> None:
    (cell,) = cells(momentum=0.5, optimizer={"kind": "sgd", "weight_decay": [0.1]}, seeds=[4])
    assert cell.describe() == {
        "variant": None, "batch_size": 100, "lr": 0.5, "momentum": 0.5, "seed": 4, "params": {"weight_decay": 0.1},
    }  # fmt: skip


def test_a_target_is_reached_from_its_side() -> None:
    assert Target(metric="val_loss", at_most=0.0).reached(0.0)
    assert not Target(metric="val_loss", at_most=0.0).reached(0.1)
    assert Target(metric="val_accuracy", at_least=0.9).reached(0.95)
    assert not Target(metric="val_accuracy", at_least=0.9).reached(float("nan"))


def test_the_loss_follows_the_task_unless_it_is_named(cells: Cells) -> None:
    (classes,) = cells()
    (numbers,) = cells(dataset={"kind": "diabetes"}, model={"kind": "mlp"})
    (named,) = cells(loss="half_squared_error")
    assert [c.loss for c in (classes, numbers, named)] == ["cross_entropy", "half_squared_error", "half_squared_error"]
