"""Which rows, rate and momentum each update takes: a pure function of the cell and the update's number."""

from collections.abc import Callable, Iterator
from itertools import count, repeat

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batchlab import streams
from batchlab.batch_plan import BatchPlan
from batchlab.cell import Cell

CHUNK = 1024
"""Rates are computed for this many updates at once, counted from the start of the run, so that no bit depends on
where training was taken up."""
Update = tuple[int, float, float | None, Tensor | slice]
"""Number, rate, momentum (None where the optimizer has none) and rows of an update."""


def batches(cell: Cell, done: int, device: torch.device) -> Iterator[Update]:
    """The updates after `done` finished ones, to the last."""
    settings, plan = _settings(cell, done), cell.batches
    first_epoch = plan.examples(done) // cell.rows
    skip = done - plan.updates(first_epoch * cell.rows)
    numbers = iter(range(done + 1, cell.steps + 1))
    for epoch in count(first_epoch):
        for rows in _epoch(cell, plan, epoch, device)[skip:]:
            number = next(numbers, None)
            if number is None:
                return
            yield number, *next(settings), rows
        skip = 0


def _epoch(cell: Cell, plan: BatchPlan, epoch: int, device: torch.device) -> "list[slice] | tuple[Tensor, ...]":
    """The batches of an epoch; a batch of all rows needs no order."""
    sizes = _sizes(plan, epoch) if cell.varies else cell.batch_size
    if sizes in (cell.rows, [cell.rows]):
        return [slice(None)]
    return torch.split(torch.from_numpy(order(cell, epoch)).to(device), sizes)


def _sizes(plan: BatchPlan, epoch: int) -> list[int]:
    """How many rows each batch of the epoch takes."""
    first, last = plan.updates(epoch * plan.rows), plan.updates((epoch + 1) * plan.rows)
    found: list[int] = np.diff(plan.seen(np.arange(first, last + 1))).tolist()
    return found


def evaluations(cell: Cell) -> Callable[[int], bool]:
    """Whether both splits are evaluated after an update, by its number (the last is, in any case)."""
    if cell.evaluate_epochs is None:
        every = cell.evaluate_every
        return lambda step: step % every == 0
    plan, stretch = cell.batches, cell.evaluate_epochs * cell.rows
    return lambda step: plan.examples(step) // stretch > plan.examples(step - 1) // stretch


def order(cell: Cell, epoch: int) -> streams.Rows:
    """The order in which the training rows are seen in this epoch (from 0): int64, shape (N,)."""
    if cell.shuffle == "never":
        return np.arange(cell.rows)
    return streams.permutation(cell.rows, cell.seed, "order", epoch if cell.shuffle == "epoch" else 0)


def settings(cell: Cell, done: int, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rates and momenta (0 where the optimizer has none) of the n updates after `done`, as `batches` gives them."""
    first = done - done % CHUNK
    chunks = [np.arange(c, c + CHUNK, dtype=np.float64) for c in range(first, done + max(n, 1), CHUNK)]
    momenta = [np.zeros(CHUNK) if (found := cell.momenta(chunk)) is None else found for chunk in chunks]
    wanted = slice(done - first, done - first + n)
    return np.concatenate([cell.rates(chunk) for chunk in chunks])[wanted], np.concatenate(momenta)[wanted]


def _settings(cell: Cell, done: int) -> Iterator[tuple[float, float | None]]:
    """Rate and momentum of each update after `done` finished ones."""
    skip = done % CHUNK
    for first in count(done - skip, CHUNK):
        chunk = np.arange(first, first + CHUNK, dtype=np.float64)
        rates, momenta = cell.rates(chunk)[skip:].tolist(), cell.momenta(chunk)
        yield from zip(rates, repeat(None) if momenta is None else momenta[skip:].tolist(), strict=False)
        skip = 0
