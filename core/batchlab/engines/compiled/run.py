"""One cell under the compiled loops: it is advanced in stretches, and closes a block when it is asked for one."""

import math
from collections.abc import Mapping, Sequence
from math import prod
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batchlab.cell import Cell
from batchlab.engines.base import CellBlock, Ending, Float32s
from batchlab.engines.batches import settings
from batchlab.engines.booking import ending, kept_at_end, probe, single
from batchlab.engines.compiled.problem import Shelf, initial, loop_for
from batchlab.engines.garbage import uncollected
from batchlab.engines.tally import Tally
from batchlab.metrics import EVALUATED
from batchlab.probes import Need

NEEDS: tuple[Need, ...] = ("gradient", "parameters", "update")
"""The order in which the loops give norms."""
FIRST = 1000
"""Updates of the first stretch, whose speed sets the length of the next."""
LONGEST = 1 << 17
"""Updates of a stretch, at most: bounds its memory."""


class Run:
    """A cell's parameters `w` and velocity `v`, its totals, and what was measured since its last block."""

    def __init__(self, cell: Cell, shelf: Shelf) -> None:
        self.cell, self._shelf, self._loop = cell, shelf, loop_for(cell)
        self._rows = shelf.rows(cell, self._loop)
        self._shapes = cell.model.parameters(cell.info.shape, cell.info.outputs)
        self.tally = Tally()
        self.w = initial(cell)
        self.v = np.zeros_like(self.w)
        self.ending: Ending | None = None
        self._speed = 0.0
        self._open()
        with uncollected():  # compiling would have it go through all of torch again and again
            self._advance(0)  # compiles what is not compiled yet: no part of anybody's training time

    def _open(self) -> None:
        self.seconds = 0.0
        """Training seconds since the last block."""
        self._first = self.tally.done + 1
        self._updates: list[dict[str, Float32s]] = []
        self._evaluated: list[tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]] = []

    def resume(self, tally: Tally) -> None:
        """Go on from these totals."""
        self.tally = tally
        self._open()

    def evaluate_start(self) -> None:
        """Evaluate the initial parameters."""
        values = self._shelf.evaluated(self.w, self._evaluate)
        self._take_evaluations(np.zeros(1, np.int64), np.array(values).reshape(1, 4), np.zeros(0))

    def _evaluate(self, table: tuple[Any, ...]) -> tuple[float, float]:
        found: tuple[float, float] = self._loop.evaluate(self.w, table, self._entropy)
        return found

    @property
    def _entropy(self) -> bool:
        return self.cell.loss == "cross_entropy"

    def advance(self, seconds: float, most: int) -> int:
        """Train for about so many seconds, at most so many updates; returns how many. Sets `ending` at the end."""
        n = min(
            self.cell.steps - self.tally.done,
            most,
            LONGEST,
            max(1, int(seconds * self._speed)) if self._speed else FIRST,
        )
        found = self._advance(n)
        self._take(*found)
        return len(found[0])

    def _advance(self, n: int) -> tuple[Any, ...]:
        """Take n updates: losses, norms, settings, evaluations, and the seconds of training."""
        cell, done = self.cell, self.tally.done
        losses = np.zeros(n, np.float32)
        norms = np.zeros((n, len(NEEDS), len(self._shapes)))
        found, spent = np.empty((n // cell.evaluate_every + 2, len(EVALUATED))), np.zeros(2, np.int64)
        rates, momenta = settings(cell, done, n)
        began = perf_counter()
        taken, made = self._loop.advance(
            self.w, self.v, self._rows.train, self._rows.tables,
            self._shelf.orders(cell, done // cell.steps_per_epoch, (done + max(n, 1) - 1) // cell.steps_per_epoch),
            cell.batch_size, done, rates.astype(np.float32), momenta.astype(np.float32), self._rule(),
            cell.evaluate_every, cell.steps, self._watch(), losses, norms, found, spent,
        )  # fmt: skip
        wall = perf_counter() - began
        self._speed = taken / wall
        training = wall * int(spent[0]) / max(1, int(spent.sum()))
        set_to = {"lr": rates, "batch_size": _sizes(cell, done, n)}
        if cell.momentum is not None:
            set_to["momentum"] = momenta
        kept = {name: single(values[:taken]) for name, values in set_to.items()}
        return losses[:taken], norms[:taken], kept, found[:made], training

    def _rule(self) -> tuple[Any, ...]:
        optimizer = self.cell.optimizer
        return bool(optimizer.nesterov), np.float32(optimizer.weight_decay), self._entropy, self.cell.reduction == "sum"

    def _watch(self) -> tuple[int, float, int]:
        target = self.cell.target
        if target is None or not target.stop:
            return -1, 0.0, 1
        return (EVALUATED.index(target.metric), *target.bound)

    def _take(
        self, losses: Float32s, norms: NDArray[np.float64], settings: Mapping[str, Float32s],
        found: NDArray[np.float64], seconds: float,
    ) -> None:  # fmt: skip
        cell, tally, done, n = self.cell, self.tally, self.tally.done, len(losses)
        laps = np.full(n, seconds / n)
        with np.errstate(all="ignore"):  # what overflows is meant to be stored as infinite
            probed = probe(cell, self._shapes, {need: norms[:, i] for i, need in enumerate(NEEDS)})
        self._updates.append({"loss": losses, **settings, **probed, "step_seconds": single(laps)})
        tally.add(probed, n)
        tally.add_time(laps, cell)
        self.seconds += seconds
        every = cell.evaluate_every
        steps = np.arange(done - done % every + every, done + n + every, every)
        self._take_evaluations(np.minimum(steps, cell.steps)[: len(found)], found, laps)
        bad = None if math.isfinite(losses[-1]) else tally.done
        stopped = cell.target is not None and cell.target.stop and tally.target_step is not None
        self.ending = ending(cell, tally, bad, stopped, self._final, timing="block")

    def _take_evaluations(
        self, steps: NDArray[np.int64], found: NDArray[np.float64], laps: NDArray[np.float64]
    ) -> None:  # fmt: skip
        cell, tally = self.cell, self.tally
        names = EVALUATED if cell.info.classes is not None else ("train_loss", "val_loss")
        values = {name: found[:, EVALUATED.index(name)] for name in names}
        self._evaluated.append((steps, values))
        tally.evaluated_all(steps, values)
        before = tally.done - len(laps)
        if cell.target is not None:
            for i, step in enumerate(steps.tolist()):
                if tally.target_step is None:  # else the sum would be for nothing
                    own = {name: float(column[i]) for name, column in values.items()}
                    tally.watch(cell, step, own, tally.train_seconds - float(laps[step - before :].sum()))

    def _final(self) -> dict[str, float]:
        """What is evaluated at the end alone: the test part, where it is not the validation set."""
        if self._rows.test is None:
            return {}
        loss, accuracy = self._evaluate(self._rows.test)
        return {"test_loss": loss, "test_accuracy": accuracy}

    def _weights(self) -> dict[str, Float32s]:
        """Copies of the parameters by name."""
        weights, start = {}, 0
        for name, shape in self._shapes.items():
            weights[name] = self.w[start : start + prod(shape)].reshape(shape).copy()
            start += prod(shape)
        return weights

    def close(self) -> CellBlock:
        """What was measured since the last block; opens the next."""
        evaluated = _joined([values for _, values in self._evaluated])
        block = CellBlock(
            self._first,
            _joined(self._updates),
            np.concatenate([np.zeros(0, np.int64), *(steps for steps, _ in self._evaluated)]),
            {name: single(values) for name, values in evaluated.items()},
            self.tally.done,
            self.ending,
            kept_at_end(self.cell, self.ending, self.tally.done, self._weights),
        )
        self._open()
        return block


def _joined(parts: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Stretches one after the other, by metric."""
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts or [{}])[0]}


def _sizes(cell: Cell, done: int, n: int) -> NDArray[np.int64]:
    """Rows of the n updates after `done`."""
    place = np.arange(done, done + n) % cell.steps_per_epoch
    return np.minimum(cell.batch_size, cell.rows - place * cell.batch_size)
