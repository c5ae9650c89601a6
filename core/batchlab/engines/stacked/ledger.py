"""The block of a stack: kept on the device until it is closed, then booked cell by cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batchlab.cell import Cell
from batchlab.engines.base import Block, CellBlock
from batchlab.engines.batches import settings
from batchlab.engines.booking import Stretch, book, ending, final_position, kept_at_end
from batchlab.engines.stacked.stack import Stack
from batchlab.engines.tally import Tally
from batchlab.probes import Need

MOST_BYTES = 2**26
"""Measurements after which a block should end."""
Evaluations = Sequence[tuple[int, Mapping[str, NDArray[np.float64]]]]


class Ledger:
    """Collects the blocks of a stack. `tallies` has the totals of each cell, None for one that has ended."""

    def __init__(self, stack: Stack, widths: Mapping[Need, int], tallies: Sequence[Tally | None], done: int) -> None:
        self._stack, self._widths, self.tallies = stack, widths, list(tallies)
        self.done = done
        """Updates that the stack has taken."""
        self._open()

    def _open(self) -> None:
        self._began = perf_counter()
        self._first = self.done
        self._measured: list[Tensor] = []
        self._evaluations: list[tuple[int, Mapping[str, Tensor]]] = []

    def __len__(self) -> int:
        return self.done - self._first

    @property
    def over(self) -> bool:
        """Whether every cell has ended."""
        return all(tally is None for tally in self.tallies)

    @property
    def seconds(self) -> float:
        """How long the block has been open."""
        return perf_counter() - self._began

    @property
    def room(self) -> int:
        """Updates until what the block holds fills the memory; where there is none left it should be closed."""
        return -(-MOST_BYTES // (8 * len(self._stack) * (1 + sum(self._widths.values())))) - len(self)

    def updated(self, measured: Tensor) -> None:
        """Keep what the updates of the next run gave: (updates, K, columns)."""
        self._measured.append(measured)
        self.done += len(measured)

    def evaluated(self, values: Mapping[str, Tensor]) -> None:
        """Keep an evaluation, each value (K,)."""
        self._evaluations.append((self.done, values))

    def close(self, laps: NDArray[np.float64]) -> Block:
        """The block with all that was kept since it began; opens the next. `laps` are the seconds of each run, of which
        its updates have equal parts."""
        shape = (0, len(self._stack), 1 + sum(self._widths.values()))
        measured = torch.cat(self._measured).double().cpu().numpy() if self._measured else np.zeros(shape)
        counts = np.array([len(run) for run in self._measured], np.int64)
        each = np.repeat(laps / counts, counts)
        ends = list(accumulate(self._widths.values(), initial=1))
        columns = {need: slice(ends[i], ends[i + 1]) for i, need in enumerate(self._widths)}
        evaluated = [(step, {n: v.cpu().numpy() for n, v in values.items()}) for step, values in self._evaluations]
        closing = _Closing(self._stack, self._first, measured, columns, each, evaluated)
        cells: dict[int, CellBlock] = {}
        with np.errstate(all="ignore"):  # what overflows is meant to be stored as infinite
            for position, tally in enumerate(self.tallies):
                if tally is not None:
                    cells[position] = closing.cell(position, tally)
                    if cells[position].ending is not None:
                        self.tallies[position] = None
        train = float(laps.sum())
        block = Block(cells, train, max(0.0, self.seconds - train))
        self._open()
        return block


@dataclass
class _Closing:
    """What was measured of all cells, on the host, while their blocks are made."""

    stack: Stack
    first: int
    measured: NDArray[np.float64]
    """Shape (updates, K, columns): the loss, then what each need has."""
    columns: Mapping[Need, slice]
    laps: NDArray[np.float64]
    evaluated: Evaluations
    _test: Mapping[str, NDArray[np.float64]] | None = None

    def cell(self, position: int, tally: Tally) -> CellBlock:
        """The block of one cell that goes on or ends in it."""
        cell = self.stack.cells[position]
        stretch, stopped = self._stretch(cell, position)
        block = book(cell, tally, self.stack.shapes, stretch)
        done, stopped = block.steps_done, stopped and not stretch.bad
        diverged_at = done if stretch.bad else None
        found = ending(cell, tally, diverged_at, stopped, lambda: self._final(cell, position), timing="block")
        kept = kept_at_end(cell, found, done, lambda: self.stack.weights_of(position))
        return replace(block, ending=found, kept=kept)

    def _stretch(self, cell: Cell, position: int) -> tuple[Stretch, bool]:
        """The updates of the cell, up to where its target stops it, and whether that did."""
        evaluations = [(step, {name: float(v[position]) for name, v in values.items()})
                       for step, values in self.evaluated]  # fmt: skip
        target = cell.target
        stops = [] if target is None or not target.stop else [
            step for step, values in evaluations if target.reached(values[target.metric])
        ]  # fmt: skip
        n = (stops[0] - self.first) if stops else len(self.measured)
        own = self.measured[:n, position]
        rates, momenta = settings(cell, self.first, n)
        norms = {need: own[:, columns] for need, columns in self.columns.items()}
        until = [(step, values) for step, values in evaluations if step <= self.first + n]
        return Stretch(own[:, 0], norms, self.laps[:n], rates, momenta, until), bool(stops)

    def _final(self, cell: Cell, position: int) -> dict[str, float]:
        """What is known at the end alone."""
        if self._test is None:
            self._test = self.stack.evaluate_test()
        found = {name: float(values[position]) for name, values in self._test.items()}
        return found | final_position(cell, self.stack.shapes, self.stack.weights[position].tolist)


def to_meta(ledger: Ledger) -> dict[str, Any]:
    """The totals as plain JSON, for a snapshot."""
    return {"done": ledger.done, "tallies": [None if t is None else t.to_json() for t in ledger.tallies]}


def from_meta(meta: Mapping[str, Any]) -> tuple[list[Tally | None], int]:
    """The totals and the updates taken that `to_meta` gave."""
    return [None if t is None else Tally.from_json(t) for t in meta["tallies"]], int(meta["done"])


def beyond(values: Mapping[str, Tensor], cell: Cell) -> Tensor | None:
    """Which cells an evaluation stops, as their common target says: (K,) of truth; None where it stops none."""
    target = cell.target
    if target is None or not target.stop:
        return None
    bound, sign = target.bound
    return sign * values[target.metric] >= sign * bound
