"""The compiled engine: small dense networks on a CPU, without a step of Python between two updates.

A cohort's cells are trained one after the other, each with its own data, order, rate and momentum: none shares a step.
Times are measured for each block. Norms are taken in the same pass as the step; that is not told apart from training.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from time import perf_counter

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

from batchlab.cell import Cell
from batchlab.datasets import Arrays
from batchlab.engines.base import Block, CellBlock, Snapshot, State
from batchlab.engines.compiled.problem import Shelf
from batchlab.engines.compiled.run import Run
from batchlab.engines.flushing import flushed
from batchlab.engines.limits import check_time, time_left
from batchlab.engines.tally import Tally

STRETCH = 0.1
"""Seconds between two looks at the clock."""


class Compiled:
    """Trains cohorts of small dense networks (`support.obstacle` says which)."""

    name = "compiled"

    @flushed
    def train(
        self,
        cohort: Sequence[Cell],
        data: Arrays,
        state: State | None = None,
        *,
        device: str = "cpu",
        block_seconds: float = 1.0,
        block_steps: int = 1 << 20,
    ) -> Iterator[tuple[Block, Snapshot]]:
        """Blocks of the cells in turn, to the end of the last; CellTimeout after the block in which a time is over.

        `block_steps` bounds the updates of all cells in a block together.
        """
        first = 0 if state is None else int(state.meta["cell"])
        shelf, book, pools = Shelf(data), Book(block_seconds, block_steps), ThreadpoolController()
        for position in range(first, len(cohort)):
            run = Run(cohort[position], shelf)
            if state is not None and position == first and state.meta["tally"] is not None:
                _resume(run, state)
            else:
                run.evaluate_start()
            while run.ending is None:
                patience = min(STRETCH, block_seconds, time_left(run.cell, run.tally))
                with pools.limit(limits=torch.get_num_threads(), user_api="blas"):
                    book.updates += run.advance(patience, block_steps - book.updates)
                if run.ending is None and (book.full or time_left(run.cell, run.tally) <= 0):
                    yield book.close(position, run), partial(_snapshot, position, run)
                    check_time(run.cell, run.tally)
            if book.full or position == len(cohort) - 1:
                yield book.close(position, run), partial(State, {}, {"cell": position + 1, "tally": None})
            else:
                book.keep(position, run)


class Book:
    """The block that is being filled."""

    def __init__(self, seconds: float, updates: int) -> None:
        self._seconds, self._most = seconds, updates
        self._open()

    def _open(self) -> None:
        self._began = perf_counter()
        self.updates = 0
        self._train = 0.0
        self._cells: dict[int, CellBlock] = {}

    @property
    def full(self) -> bool:
        """Whether it is time to hand the block on."""
        return self.updates >= self._most or perf_counter() - self._began >= self._seconds

    def keep(self, position: int, run: Run) -> None:
        """Take in what a cell has measured."""
        self._train += run.seconds
        self._cells[position] = run.close()

    def close(self, position: int, run: Run) -> Block:
        """The block with the cell's stretch as its last; opens the next."""
        self.keep(position, run)
        wall = perf_counter() - self._began
        block = Block(self._cells, self._train, max(0.0, wall - self._train))
        self._open()
        return block


def _snapshot(position: int, run: Run) -> State:
    return State({"w": run.w.copy(), "v": run.v.copy()}, {"cell": position, "tally": run.tally.to_json()})


def _resume(run: Run, state: State) -> None:
    run.w, run.v = np.array(state.arrays["w"]), np.array(state.arrays["v"])
    run.resume(Tally.from_json(state.meta["tally"]))
