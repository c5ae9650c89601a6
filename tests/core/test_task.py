"""What a cell trains: rates and momenta reach every group of parameters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from batchlab.cell import Cell
from batchlab.engines.task import Task

Cells = Callable[..., tuple[Cell, ...]]


def task_of(cell: Cell) -> Task:
    """The task of a cell on the bundled data."""
    return Task(cell, cell.dataset.load(Path()), torch.device("cpu"))


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [({"momentum": 0.9}, "momentum", 0.5), ({"optimizer": {"kind": "adam"}}, "betas", (0.5, 0.999))],
)
def test_a_rate_and_a_momentum_are_set_on_every_group(
    changes: dict[str, Any], key: str, expected: Any, cells: Cells
) -> None:
    task = task_of(cells(**changes)[0])
    task.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    before = [group[key] for group in task.optimizer.param_groups]
    task.set_rate(0.25)
    assert [group[key] for group in task.optimizer.param_groups] == before
    task.set_rate(0.125, 0.5)
    assert [(group["lr"], group[key]) for group in task.optimizer.param_groups] == [(0.125, expected)] * 2
