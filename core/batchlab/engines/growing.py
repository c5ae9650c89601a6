"""Batches that grow by what is measured: the looks at single rows, and the run as it was decided so far.

At any moment such a cell is one whose batch sizes are written out: those that were decided, and the last of them for
all that is to come. So rows, rates and evaluations are those of any other cell, and the decisions are the whole state.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from batchlab.batch_schedules import Steps, plan_of
from batchlab.cell import Cell
from batchlab.engines.batches import Update, batches, evaluations
from batchlab.engines.layout import Rows
from batchlab.engines.task import Task

Decision = tuple[int, int]
"""How many updates lie before a growth, and the size from there on."""


class Course:
    """The run of a cell as far as it is known: all of it, or up to the next growth of an adaptive batch."""

    def __init__(self, task: Task, decided: Sequence[Sequence[int]] = ()) -> None:
        self._task, self._asked = task, task.cell
        self._rule: Any = task.cell.batch_schedule
        self.decided: list[Decision] = [(done, size) for done, size in decided]
        self._resolve()

    def _resolve(self) -> None:
        self.cell = _written_out(self._asked, self.decided) if self.decided else self._asked
        """The cell with the sizes that were decided."""
        self.due, self._plan = evaluations(self.cell), self.cell.batches

    def batches(self, done: int) -> Iterator[Update]:
        """The updates after `done` finished ones, to the last."""
        cell = self.cell
        for update in batches(cell, done, self._task.device):
            yield update
            if self.cell is not cell:
                yield from self.batches(update[0])
                return

    def seen(self, done: int) -> int:
        """Rows seen after `done` updates."""
        return self._plan.examples(done)

    def look(self, step: int, rows: Rows) -> None:
        """Look at the batch of this update, whose gradient lies in the parameters: the next may have to be larger."""
        if not self._rule.adaptive or step % self._rule.every:
            return
        size = self.decided[-1][1] if self.decided else self._asked.batch_size
        grown = self._rule.grown(size, self._asked.run, measure(self._task, rows, self._rule.sample))
        if grown > size:
            self.decided.append((step, grown))
            self._resolve()

    @property
    def facts(self) -> dict[str, float]:
        """What a result says of an adaptive batch."""
        size = self.decided[-1][1] if self.decided else self._asked.batch_size
        return {"final_batch_size": size} if self._rule.adaptive else {}


def _written_out(cell: Cell, decided: Sequence[Decision]) -> Cell:
    done, sizes = zip(*decided, strict=True)
    written = Steps(milestones=tuple(map(float, done)), sizes=sizes, unit="steps")
    return cell.model_copy(update={"batch_schedule": written, "steps": plan_of(written, cell.run).steps})


def measure(task: Task, rows: Rows, sample: int) -> tuple[float, float, float]:
    """Of the first `sample` rows of a batch whose mean gradient is g: tr(Sigma), var(g_i . g), and |g|.

    Each row's gradient is that of the plain loss, with the network as it is evaluated: normalisation by its moving
    averages, no dropout. Variances are over n - 1; sums are float64. A batch of one row has no variance to speak of.
    """
    chosen = torch.arange(len(task.train))[:sample] if isinstance(rows, slice) else rows[:sample]
    n, g = len(chosen), _batch_gradient(task, rows)
    if n < 2:
        return 0.0, 0.0, float(g.norm())
    total, squares, products = torch.zeros_like(g), torch.zeros_like(g[0]), []
    task.net.eval()
    for row in chosen:
        own = _row_gradient(task, row)
        total += own
        squares += own @ own
        products.append(own @ g)
    task.net.train()
    spread = (squares - total @ total / n) / (n - 1)
    return max(float(spread), 0.0), float(torch.stack(products).var()), float(g.norm())


def _batch_gradient(task: Task, rows: Rows) -> Tensor:
    """The mean gradient of the batch, from where `backward` left it: float64, all numbers in a row."""
    n = len(task.train) if isinstance(rows, slice) else len(rows)
    found = _flat([p.grad for p in task.params], task.params)
    return found / n if task.cell.reduction == "sum" else found


def _row_gradient(task: Task, row: Tensor) -> Tensor:
    x, targets = task.train.x[row][None], task.train.targets[row][None]
    loss = task.loss(task.outputs(x), targets, "mean")
    return _flat(torch.autograd.grad(loss, task.params, allow_unused=True), task.params)


def _flat(values: Sequence[Tensor | None], like: Sequence[Tensor]) -> Tensor:
    pairs = zip(values, like, strict=True)
    return torch.cat([(torch.zeros_like(p) if v is None else v).detach().double().flatten() for v, p in pairs])
