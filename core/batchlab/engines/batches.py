"""Which rows, rate and momentum each update takes: a pure function of the cell and the update's number."""

from collections.abc import Iterator
from itertools import count, repeat

import numpy as np
import torch
from torch import Tensor

from batchlab import streams
from batchlab.cell import Cell

CHUNK = 1024
"""Rates are computed for this many updates at once, counted from the start of the run, so that no bit depends on
where training was taken up."""


Update = tuple[int, float, float | None, Tensor | slice]
"""Number, rate, momentum (None where the optimizer has none) and rows of an update."""


def batches(cell: Cell, done: int, device: torch.device) -> Iterator[Update]:
    """The updates after `done` finished ones, to the last."""
    settings = _settings(cell, done)
    first_epoch, skip = divmod(done, cell.steps_per_epoch)
    numbers = iter(range(done + 1, cell.steps + 1))
    for epoch in count(first_epoch):
        for rows in _epoch(cell, epoch, device)[skip:]:
            number = next(numbers, None)
            if number is None:
                return
            yield number, *next(settings), rows
        skip = 0


def _epoch(cell: Cell, epoch: int, device: torch.device) -> "list[slice] | tuple[Tensor, ...]":
    """The batches of an epoch; a batch of all rows needs no order."""
    if cell.batch_size == cell.rows:
        return [slice(None)]
    return torch.split(torch.from_numpy(order(cell, epoch)).to(device), cell.batch_size)


def order(cell: Cell, epoch: int) -> streams.Rows:
    """The order in which the training rows are seen in this epoch (from 0): int64, shape (N,)."""
    if cell.shuffle == "never":
        return np.arange(cell.rows)
    return streams.permutation(cell.rows, cell.seed, "order", epoch if cell.shuffle == "epoch" else 0)


def _settings(cell: Cell, done: int) -> Iterator[tuple[float, float | None]]:
    """Rate and momentum of each update after `done` finished ones."""
    skip = done % CHUNK
    for first in count(done - skip, CHUNK):
        chunk = np.arange(first, first + CHUNK, dtype=np.float64)
        rates, momenta = cell.rates(chunk)[skip:].tolist(), cell.momenta(chunk)
        yield from zip(rates, repeat(None) if momenta is None else momenta[skip:].tolist(), strict=False)
        skip = 0
