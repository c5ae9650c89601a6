"""The log of a block: what is measured while a cell trains, kept as tensors until the block ends."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batchlab.cell import Cell
from batchlab.engines.base import Block
from batchlab.engines.booking import Stretch, book, ending, final_position
from batchlab.engines.growing import Course
from batchlab.engines.keeper import Keeper
from batchlab.engines.tally import Tally
from batchlab.engines.task import Task, flat
from batchlab.engines.timing import Stopwatch
from batchlab.probes import FEW, Need


class Norms:
    """What the probes need, update by update: norms of each parameter's part of it, or its numbers."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._params = task.params
        self._weights = [p.detach() for p in task.params]
        self._taken: dict[Need, list[Tensor]] = {p.need: [] for p in task.cell.probes if p.need}
        self._before: list[Tensor] = []
        self._descent = torch.zeros(())

    def before_step(self, loss: Tensor) -> None:
        """Measure the loss and its gradient, and the weights that they were taken at."""
        memory = self._task.memory
        if "change" in self._taken:
            now, before = loss.log(), memory.get("log_loss")
            self._taken["change"].append(((now - before).abs() if before is not None else now * math.nan).reshape(1))
            memory["log_loss"] = now
        if "turn" in self._taken:
            gradient, last = self._task.gradient(), memory.get("gradient")
            turn = (
                gradient.new_full((), math.nan) if last is None else (gradient @ last) / (_norm(gradient) * _norm(last))
            )
            self._taken["turn"].append(turn.reshape(1))
            memory["gradient"] = gradient
        if "gradient" in self._taken:
            self._taken["gradient"] += _norms([p.grad for p in self._params])
        if "parameters" in self._taken:
            self._taken["parameters"] += _norms(self._weights)
        if "position" in self._taken:
            self._taken["position"].append(flat(self._weights))
        if "parts" in self._taken:  # before the step, as some optimizers take further gradients in it
            rate = self._task.optimizer.param_groups[0]["lr"]
            self._descent = -rate * self._task.gradient()
        if self._taken.keys() & {"update", "parts"}:
            self._before = [w.clone() for w in self._weights]

    def after_step(self) -> None:
        """Measure how far the weights have moved."""
        if "update" in self._taken:
            self._taken["update"] += self._moved_from(self._before)
        if "distance" in self._taken:
            self._taken["distance"] += self._moved_from(self._task.start)
        if "parts" in self._taken:
            step = flat(self._weights) - flat(self._before)
            parts = torch.stack([self._descent, step - self._descent, step])
            few = parts.shape[1] <= FEW
            self._taken["parts"].append(parts.flatten() if few else torch.linalg.vector_norm(parts, dim=1))

    def _moved_from(self, before: Sequence[Tensor]) -> Sequence[Tensor]:
        return _norms(torch._foreach_sub(self._weights, tuple(before)))

    def take(self) -> dict[Need, NDArray[np.float64]]:
        """What was measured since the last call, a row for each update: a norm for each parameter, or numbers."""
        taken = {need: _rows(_numbers(values), len(self._params)) for need, values in self._taken.items()}
        self._taken = {need: [] for need in self._taken}
        return taken


class Log:
    """Collects a block of one cell and closes it."""

    def __init__(self, task: Task, tally: Tally, course: Course) -> None:
        self._task, self._course, self.tally = task, course, tally
        self.stopped = False
        """Whether the target that ends the cell is reached."""
        self._keeper = Keeper(task, tally, course)
        self._open()

    def _open(self) -> None:
        self._began = perf_counter()
        self._losses: list[Tensor] = []
        self._rates: list[float] = []
        self._momenta: list[float | None] = []
        self._evaluations: list[tuple[int, Mapping[str, Tensor]]] = []

    @property
    def _cell(self) -> Cell:
        """As far as its batch sizes are known."""
        return self._course.cell

    def __len__(self) -> int:
        return len(self._losses)

    @property
    def seconds(self) -> float:
        """How long the block has been open."""
        return perf_counter() - self._began

    @property
    def full(self) -> bool:
        """Whether the block should be closed, for what it holds fills the memory."""
        return self._keeper.full

    def updated(self, loss: Tensor, rate: float, momentum: float | None) -> None:
        """Keep what an update gives and what it was set to."""
        self._losses.append(loss)
        self._rates.append(rate)
        self._momenta.append(momentum)
        self._keeper.reached(self.tally.done + len(self))

    def evaluated(self, step: int, values: Mapping[str, Tensor]) -> None:
        """Keep the evaluation after `step` updates."""
        self._evaluations.append((step, values))
        if step == 0:
            self._keeper.reached(0)
        self._keeper.evaluated(step, values)
        target = self._cell.target
        if target is not None and target.stop:  # the only evaluation that is waited for
            self.stopped = self.stopped or target.reached(float(values[target.metric]))

    def close(self, norms: Norms, watch: Stopwatch) -> Block:
        """The block with all that was kept since it began, cut at the first loss that is not finite; opens the next."""
        laps = watch.laps()
        wall = self.seconds
        evaluated = [(step, floats(values)) for step, values in self._evaluations]
        stretch = Stretch(_numbers(self._losses), norms.take(), laps, self._rates, self._momenta, evaluated)
        with np.errstate(all="ignore"):  # what overflows is meant to be stored as infinite
            block = book(self._cell, self.tally, self._task.shapes, stretch)
        done = block.steps_done
        ended = ending(self._cell, self.tally, done if stretch.bad else None, self.stopped, self._final)
        kept = self._keeper.close(done, done - stretch.bad, ended)
        self._open()
        train = float(laps.sum())
        return Block({0: replace(block, ending=ended, kept=kept)}, train, max(0.0, wall - train))

    def _final(self) -> dict[str, float]:
        """What is known at the end alone."""
        average = self._task.average
        task = self._task
        position = final_position(self._cell, task.shapes, lambda: flat([p.detach() for p in task.params]).tolist())
        own = task.evaluate_test() | position | self._course.facts
        return own | ({} if average is None else average.facts)


def floats(values: Mapping[str, Tensor]) -> dict[str, float]:
    """Plain numbers: waits for the device."""
    return {name: float(value) for name, value in values.items()}


def _norm(values: Tensor) -> Tensor:
    """Euclidean norm."""
    norm: Tensor = torch.linalg.vector_norm(values)
    return norm


def _norms(values: Sequence[Tensor | None]) -> Sequence[Tensor]:
    """Euclidean norms; 0 for a parameter that the loss does not reach."""
    there = iter(torch._foreach_norm([value for value in values if value is not None]))
    return [torch.zeros(()) if value is None else next(there) for value in values]


def _rows(values: NDArray[np.float64], parameters: int) -> NDArray[np.float64]:
    """A row for each update: of the scalars taken for each parameter in turn, or of numbers already in rows."""
    return values.reshape(-1, parameters) if values.ndim == 1 else values


def _numbers(values: Sequence[Tensor]) -> NDArray[np.float64]:
    """Scalars, or rows of numbers, on the device as one array on the host."""
    return torch.stack(tuple(values)).double().cpu().numpy() if values else np.zeros(0)
