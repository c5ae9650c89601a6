"""The log of a block: what is measured while a cell trains, kept as tensors until the block ends."""

import math
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batchlab.cell import Cell
from batchlab.engines.base import Block, CellBlock, Ending, Float32s
from batchlab.engines.growing import Course
from batchlab.engines.keeper import Keeper
from batchlab.engines.tally import Tally
from batchlab.engines.task import Task, flat
from batchlab.engines.timing import Stopwatch
from batchlab.probes import FEW, Need, numbers


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
        with np.errstate(all="ignore"):  # what overflows is meant to be stored as infinite
            cell = self._block(norms.take(), laps)
        self._open()
        return Block({0: cell}, float(laps.sum()), max(0.0, wall - float(laps.sum())))

    def _block(self, norms: Mapping[Need, NDArray[np.float64]], laps: NDArray[np.float64]) -> CellBlock:
        exact = _numbers(self._losses)
        bad = np.flatnonzero(~np.isfinite(exact))  # before the cast: a loss in float64 may be beyond float32
        losses = _single(exact)
        n = int(bad[0]) + 1 if bad.size else len(losses)
        first, last = self.tally.done + 1, self.tally.done + n
        probed = self._probed({need: values[:n] for need, values in norms.items()})
        updates = {"loss": losses[:n], **self._settings(first, n), **probed, "step_seconds": _single(laps[:n])}
        until = last - 1 if bad.size else last  # the update that diverged has left nothing to evaluate
        kept = [(step, floats(values)) for step, values in self._evaluations if step <= until]
        self._take_in(probed, laps[:n], kept)
        ending = self._ending(last if bad.size else None)
        return CellBlock(
            first, updates, np.array([step for step, _ in kept], np.int64), _columns(kept), last, ending,
            self._keeper.close(last, until, ending),
        )  # fmt: skip

    def _settings(self, first: int, n: int) -> dict[str, Float32s]:
        """Rate, batch size and momentum of each update."""
        cell = self._cell
        rows = np.diff(cell.batches.seen(np.arange(first - 1, first + n)))
        found = {"lr": _single(self._rates[:n]), "batch_size": _single(rows)}
        return found if cell.momentum is None else found | {"momentum": _single(self._momenta[:n])}

    def _probed(self, norms: Mapping[Need, NDArray[np.float64]]) -> dict[str, Float32s]:
        probed: dict[str, Float32s] = {}
        for probe in self._cell.probes:
            if probe.need:
                values = probe.values(norms[probe.need], self._task.shapes)
                probed |= {name: _single(column) for name, column in values.items()}
        return probed

    def _take_in(
        self, probed: Mapping[str, Float32s], laps: NDArray[np.float64], kept: Sequence[tuple[int, dict[str, float]]]
    ) -> None:
        before, already = self.tally.done, self.tally.train_seconds
        self.tally.add(probed, len(laps))
        self.tally.add_time(laps, self._cell)
        for probe in self._cell.probes:
            for name, (metric, limit) in probe.crossings().items():
                self.tally.crossed(name, before, probed[metric] > limit)
        for step, values in kept:
            self.tally.evaluated(step, values)
            self.tally.watch(self._cell, step, values, already + float(laps[: step - before].sum()))

    def _ending(self, diverged_at: int | None) -> Ending | None:
        return ending(self._cell, self.tally, diverged_at, self.stopped, self._final)

    def _final(self) -> dict[str, float]:
        """What is known at the end alone."""
        average = self._task.average
        own = self._task.evaluate_test() | self._position() | self._course.facts
        return own | ({} if average is None else average.facts)

    def _position(self) -> dict[str, float]:
        """The numbers of the model, where they were recorded on the way."""
        if not any(probe.need == "position" for probe in self._cell.probes):
            return {}
        values = flat([p.detach() for p in self._task.params]).tolist()
        return {f"final_param/{name}": value for name, value in zip(numbers(self._task.shapes), values, strict=True)}


def ending(
    cell: Cell, tally: Tally, diverged_at: int | None, stopped: bool, final: Callable[[], Mapping[str, float]]
) -> Ending | None:
    """How the cell has ended by its totals; None while it goes on. `final` evaluates what is left for the end alone."""
    if diverged_at is None and not stopped and tally.done < cell.steps:
        return None
    losses = (tally.last.get("train_loss", 0.0), tally.last.get("val_loss", 0.0))
    if diverged_at is None and not all(map(math.isfinite, losses)):
        diverged_at = tally.done  # the last update has left weights that have no finite loss
    result = tally.result(cell, diverged_at, final() if diverged_at is None else {}) | cell.optimizer.declared()
    return Ending("succeeded" if diverged_at is None else "diverged", result)


def floats(values: Mapping[str, Tensor]) -> dict[str, float]:
    """Plain numbers: waits for the device."""
    return {name: float(value) for name, value in values.items()}


def _columns(kept: Sequence[tuple[int, dict[str, float]]]) -> dict[str, Float32s]:
    names = kept[0][1] if kept else ()
    return {name: _single([values[name] for _, values in kept]) for name in names}


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


def _single(values: object) -> Float32s:
    return np.asarray(values, dtype=np.float64).astype(np.float32)
