"""Which rows and which rate each update takes, from any update on."""

from collections.abc import Callable
from itertools import islice

import numpy as np
import pytest
import torch
from batchlab.cell import Cell
from batchlab.engines.batches import CHUNK, batches
from batchlab.expand import expand
from batchlab.spec import parse_spec
from hypothesis import given, settings
from hypothesis import strategies as st

Cells = Callable[..., tuple[Cell, ...]]
CPU = torch.device("cpu")


def cell_of(batch: int, steps: int, shuffle: str = "epoch") -> Cell:
    document = {
        "dataset": {"kind": "iris"},
        "model": {"kind": "softmax"},
        "batch_sizes": [batch],
        "lr": {"rule": "fixed", "base": 0.3},
        "schedule": {"kind": "cosine"},
        "budget": {"steps": steps},
        "shuffle": shuffle,
    }
    return expand(parse_spec(document))[0]


def listed(cell: Cell, done: int) -> list[tuple[int, float, list[int]]]:
    rows = np.arange(cell.rows)
    return [
        (k, rate, rows[at if isinstance(at, slice) else at.numpy()].tolist())
        for k, rate, _, at in batches(cell, done, CPU)
    ]


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 120), steps=st.integers(1, 60), done=st.integers(0, 60),
    shuffle=st.sampled_from(["epoch", "once", "never"]),
)  # fmt: skip
def test_taking_up_a_run_gives_the_rest_of_it(batch: int, steps: int, done: int, shuffle: str) -> None:
    cell = cell_of(batch, steps, shuffle)
    assert listed(cell, min(done, steps)) == listed(cell, 0)[min(done, steps) :]


@settings(max_examples=30, deadline=None)
@given(batch=st.integers(1, 120))
def test_an_epoch_sees_every_row_once(batch: int) -> None:
    cell = cell_of(batch, -(-120 // batch))
    taken = [row for _, _, rows in listed(cell, 0) for row in rows]
    assert sorted(taken) == list(range(120))
    assert {len(rows) for _, _, rows in listed(cell, 0)} <= {batch, 120 % batch}


def test_a_batch_of_all_rows_gathers_none(cells: Cells) -> None:
    (cell,) = cells(batch_sizes=["full"])
    assert all(isinstance(rows, slice) for _, _, _, rows in batches(cell, 0, CPU))


@pytest.mark.parametrize("done", [0, 1, CHUNK - 1, CHUNK, 3 * CHUNK + 5])
def test_rates_are_those_of_the_schedule_from_any_update_on(done: int) -> None:
    cell = cell_of(10, 5000)
    found = [rate for _, rate, _, _ in islice(batches(cell, done, CPU), 50)]
    assert found == [float(cell.rates(np.array([float(k)]))[0]) for k in range(done, done + 50)]
