"""The stacked engine: a cohort's cells take their updates together, along a leading axis.

Each cell has its own rate, momentum, seed, schedule and order of rows. What is measured stays on the device until a
block is full. A cell that ends stays in the stack, frozen, since bits may depend on who shares it. Seconds are those of
the shared update, norms included; on a GPU those of a run of updates, in equal parts (`replay`).
"""

from collections.abc import Iterator, Sequence
from functools import partial

import torch

from batchlab.cell import Cell
from batchlab.datasets import Arrays
from batchlab.engines.base import Block, Snapshot, State
from batchlab.engines.flushing import flushed
from batchlab.engines.stacked.ledger import Ledger, beyond, from_meta, to_meta
from batchlab.engines.stacked.replay import player, unbroken
from batchlab.engines.stacked.stack import Stack
from batchlab.engines.stacked.training import Training
from batchlab.engines.tally import Tally
from batchlab.engines.timing import stopwatch


class Stacked:
    """Trains cohorts of cells that are alike (`support` says which)."""

    name = "stacked"

    @flushed
    def train(
        self,
        cohort: Sequence[Cell],
        data: Arrays,
        state: State | None = None,
        *,
        device: str = "cpu",
        block_seconds: float = 1.0,
        block_steps: int = 16384,
    ) -> Iterator[tuple[Block, Snapshot]]:
        """Blocks of all cells that have not ended, to the end of the last."""
        stack = Stack(cohort, data, torch.device(device))
        training, cell = Training(stack), cohort[0]
        tallies, done = ([Tally() for _ in cohort], 0) if state is None else from_meta(state.meta)
        if state is not None:
            training.restore(state.arrays)
        ledger, watch = Ledger(stack, training.gauges.widths(), tallies, done), stopwatch(stack.device)
        if done == 0:
            ledger.evaluated(stack.evaluate())

        rows, numbers = stack.rows(done), training.numbers(done)
        runs, following = player(training), unbroken(cell)
        while not ledger.over:
            n = runs.length(min(following(ledger.done), block_steps - len(ledger), ledger.room))
            run = runs.ready([(next(rows), next(numbers)) for _ in range(n)])
            for _ in range(3):  # the first two laps of an update are the gradient's, which is not told apart here
                watch.mark()
            measured = run()
            watch.mark()
            ledger.updated(measured)
            if ledger.done == cell.steps or ledger.done % cell.evaluate_every == 0:
                values = stack.evaluate()
                ledger.evaluated(values)
                ended = beyond(values, cell)
                if ended is not None:
                    training.freeze(ended)
            enough = len(ledger) >= block_steps or ledger.seconds >= block_seconds
            if ledger.done == cell.steps or enough or ledger.room <= 0:
                yield ledger.close(watch.laps()), partial(snapshot, training, ledger)


def snapshot(training: Training, ledger: Ledger) -> State:
    """All that training needs to go on after the block that was just closed."""
    return State(training.arrays(), to_meta(ledger))
