"""A trained cell as a function of its weights: the mean loss of fixed rows, its rows' losses and its gradient.

Weights are one flat vector of the network's parameters in their order. The network is in evaluation mode (no dropout,
normalisation by the statistics that it holds), the loss is the plain one that cells are evaluated by. Rows go through
in parts, each weighted by its rows; sums over parts are float64.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from batchlab import streams
from batchlab.analyses.base import Subject, Weights
from batchlab.engines import norms
from batchlab.engines.layout import laid_out
from batchlab.engines.task import EVALUATED_ROWS, Table, Task

Part = Literal["train", "validation", "test"]
Precision = Literal["float32", "float64"]
BatchNorm = Literal["kept", "reestimated"]
PASSES = 8
"""An analysis keeps so many times what a training pass does: second derivatives keep the first ones' graph."""


class Problem:
    """The network of a task with `rows` of one part of its data (all where None, else the same for all cells).

    `weights` are those that the network has. It is left in evaluation mode.
    """

    def __init__(
        self, task: Task, rows: int | None = None, part: Part = "train", batch_norm: BatchNorm = "kept"
    ) -> None:
        self.cell, self.device = task.cell, task.device
        self._task, self.net, self.names = task, task.net.eval(), task.names
        self.shapes = [p.shape for p in task.params]
        self.sizes = [p.numel() for p in task.params]
        self.dtype = task.params[0].dtype
        self.part = part
        self._of = _table(task, part)
        self.table = _some(self._of, rows)
        self.chunk = 1 << max(0, min(task.most_rows // PASSES, EVALUATED_ROWS).bit_length() - 1)
        self.batch_norm: str = batch_norm if self.norms() else "none"
        self.weights = torch.cat([p.detach().flatten() for p in task.params])

    @classmethod
    def of(
        cls,
        subject: Subject,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
        rows: int | None = None,
        part: Part = "train",
        batch_norm: BatchNorm = "reestimated",
    ) -> "Problem":
        """The network of a trained cell on a device, at its last weights.

        >>> problem = Problem.of(Subject(cell, data, {step: weights}))  # doctest: +SKIP
        >>> problem.loss(problem.weights)  # doctest: +SKIP
        """
        if subject.data is None:
            raise ValueError("the subject has no data")
        task = Task(subject.cell.model_copy(update={"precision": precision}), subject.data, torch.device(device))
        problem = cls(task, rows, part, batch_norm)
        problem.weights = problem.place(subject.last)
        return problem

    @property
    def n(self) -> int:
        """Parameters in all."""
        return sum(self.sizes)

    @property
    def rows(self) -> int:
        """Rows that the loss is a mean of."""
        return len(self.table)

    @property
    def drawn(self) -> float:
        """Which share of the part's rows these are: 1 where the loss is that of the whole part."""
        return len(self.table) / len(self._of)

    def meta(self) -> dict[str, Any]:
        """How the loss is taken, for a finding."""
        return {
            "precision": str(self.dtype).removeprefix("torch."),
            "batch_norm": self.batch_norm,
            "rows": self.rows,
            "part": self.part,
            "parameters": self.n,
            "device": str(self.device),
        }

    def place(self, weights: Weights) -> Tensor:
        """Take up the buffers of a checkpoint; gives its weights as a vector, (n,)."""
        self.net.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
        w = torch.cat([p.detach().flatten() for p in self.net.parameters()])
        self.settle(w)
        return w

    def settle(self, w: Tensor) -> None:
        """Go to weights `w` for good: statistics of normalisation follow, where they are to be re-estimated."""
        if self.batch_norm == "reestimated":
            self.reestimate(w)

    def flatten(self, weights: Weights) -> Tensor:
        """The parameters of a checkpoint as a vector, (n,)."""
        return self.tensor(np.concatenate([np.ravel(weights[name]) for name in self.names]))

    def unflatten(self, w: Tensor) -> dict[str, Tensor]:
        """The parameters by name that a flat vector means (views of it)."""
        parts = torch.split(w, self.sizes)
        return {n: p.view(s) for n, p, s in zip(self.names, parts, self.shapes, strict=True)}

    def random(self, seed: int, stream: streams.Stream, number: int = 0) -> Tensor:
        """A standard normal vector: (n,), the same on every device."""
        return self.tensor(streams.generator(seed, stream, number).standard_normal(self.n))

    def tensor(self, values: NDArray[Any]) -> Tensor:
        """These numbers on the device, in the problem's precision."""
        return torch.from_numpy(np.array(values)).to(self.device, self.dtype)

    def parts(self, table: Table | None = None) -> Iterator[Table]:
        """The rows, a part at a time."""
        table = self.table if table is None else table
        for first in range(0, len(table), self.chunk):
            yield cut(table, slice(first, first + self.chunk))

    def outputs(self, w: Tensor, x: Tensor) -> Tensor:
        """What the network gives for these rows at weights `w`.

        Pictures go in with their channels last: on a CPU that is up to 1.8 times as fast (a residual network of 20
        layers, 8 channels), and no kind of layer cares.
        """
        x = laid_out(x, torch.channels_last)
        return functional_call(self.net, self.unflatten(w), (x,))  # type: ignore[no-any-return]

    def row_losses(self, w: Tensor, table: Table) -> Tensor:
        """The loss of each of these rows, differentiable: (rows,)."""
        return self.criterion(self.outputs(w, table.x), table.targets)

    def criterion(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each row by what the network gives for it: (rows,)."""
        return self._task.loss(outputs, targets, "none")

    @torch.no_grad()
    def losses(self, w: Tensor, table: Table | None = None) -> Tensor:
        """The loss of each row: float64, (rows,)."""
        return torch.cat([self.row_losses(w, part).double() for part in self.parts(table)])

    def loss(self, w: Tensor) -> float:
        """The mean loss of the rows."""
        return float(self.losses(w).mean())

    @torch.no_grad()
    def judged(self, w: Tensor, table: Table | None = None) -> tuple[Tensor, Tensor]:
        """The loss of each row, and 1 where its class has the largest output, else 0 (NaN in regression): float64."""
        losses, right = [], []
        for part in self.parts(table):
            outputs = self.outputs(w, part.x)
            losses.append(self.criterion(outputs, part.targets).double())
            hits = torch.full_like(losses[-1], torch.nan) if part.classes is None else outputs.argmax(1) == part.classes
            right.append(hits.double())
        return torch.cat(losses), torch.cat(right)

    def other(self, part: Part) -> Table:
        """All rows of another part of the data."""
        return _table(self._task, part)

    def gradient(self, w: Tensor, table: Table | None = None) -> tuple[float, Tensor]:
        """The mean loss of the rows and its gradient, summed in float64: a number and (n,)."""
        table = self.table if table is None else table
        total, gradient = 0.0, torch.zeros(self.n, dtype=torch.float64, device=self.device)
        at = w.detach().requires_grad_()
        for part in self.parts(table):
            loss = self.row_losses(at, part).sum()
            gradient += torch.autograd.grad(loss, at)[0]
            total += float(loss.detach())
        return total / len(table), (gradient / len(table)).to(self.dtype)

    def norms(self) -> list[nn.Module]:
        """The layers that normalise by statistics which they hold."""
        return norms.norms(self.net)

    @contextmanager
    def normalising_by_batch(self) -> Iterator[None]:
        """Batch normalisation takes each batch's own statistics, as in training (and moves its averages)."""
        layers = self.norms()
        for layer in layers:
            layer.train()
        yield
        for layer in layers:
            layer.eval()

    def reestimate(self, w: Tensor) -> None:
        """Take the statistics that batch normalisation holds anew, over the training rows at weights `w`."""
        parts = (part.x for part in self.parts(_some(self._task.train, self.rows)))
        norms.reestimate(self.net, parts, lambda x: self.outputs(w, x))


def cut(table: Table, rows: slice | Tensor) -> Table:
    """Some rows of a table."""
    return Table(table.x[rows], table.targets[rows], None if table.classes is None else table.classes[rows])


def _table(task: Task, part: Part) -> Table:
    if part == "test" and task.test is None:
        raise ValueError("the test part is the validation set of this cell: ask for that")
    found = {"train": task.train, "validation": task.validation, "test": task.test}[part]
    return task.train if found is None else found


def _some(table: Table, rows: int | None) -> Table:
    """So many rows, drawn once and for all (by no cell's seed), in their own order."""
    if rows is None or rows >= len(table):
        return table
    chosen = np.sort(streams.permutation(len(table), 0, "sample")[:rows])
    return cut(table, torch.from_numpy(chosen).to(table.x.device))
