"""A stack of cells: their weights as rows of one matrix, their data on the device, and how they are evaluated."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count, repeat
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional

from batchlab.cell import Cell
from batchlab.datasets import Arrays, split
from batchlab.engines.batches import order
from batchlab.engines.task import EVALUATED_ROWS, Table, dtype_of, exact_arithmetic, flat, table
from batchlab.init import network

LEAST_ROWS = 64
"""Rows of each cell that are evaluated at once, at least."""


class Stack:
    """K cells with equal `support.key`: `weights` (K, P) has the parameters of each, one after the other, in a row."""

    def __init__(self, cohort: Sequence[Cell], data: Arrays, device: torch.device) -> None:
        exact_arithmetic()
        self.cells, self.device, self.dtype = tuple(cohort), device, dtype_of(cohort[0])
        self._cell = cell = cohort[0]
        nets = [network(own.model, own.info.shape, own.info.outputs, own.init, own.seed) for own in cohort]
        self.shapes = {name: tuple(p.shape) for name, p in nets[0].named_parameters()}
        self.sizes = [p.numel() for p in nets[0].parameters()]
        drawn = [flat([p.detach() for p in net.parameters()]) for net in nets]
        self.weights = torch.stack(drawn).to(device, self.dtype)
        self._net = _by_columns(nets[0].to(device, self.dtype))
        self._load(cell, data)

    def __len__(self) -> int:
        return len(self.cells)

    def _load(self, cell: Cell, data: Arrays) -> None:
        """Put each split that a cell of the stack has on the device, once."""
        seeds = [_split_seed(own) for own in self.cells]
        places = {seed: place for place, seed in enumerate(dict.fromkeys(seeds))}
        parts = [split(cell.dataset, data, seed) for seed in places]
        self.splits = len(parts)
        self._own = torch.tensor([places[seed] for seed in seeds], device=self.device)[:, None]
        """Which of the splits each cell has, shape (K, 1)."""
        self.train = self._joined([part.train for part in parts])
        self.validation = self._joined([part.validation for part in parts])
        tests = [part.test for part in parts if part.test is not None]
        self.test = self._joined(tests) if tests else None

    def _joined(self, parts: Sequence[Any]) -> Table:
        tables = [table(self._cell, part, self.device) for part in parts]
        if len(tables) == 1:
            return tables[0]
        classes = None if tables[0].classes is None else torch.cat([t.classes for t in tables if t.classes is not None])
        return Table(torch.cat([t.x for t in tables]), torch.cat([t.targets for t in tables]), classes)

    def named(self, weights: Tensor) -> dict[str, Tensor]:
        """The rows of `weights` by parameter, each (K, its shape): views."""
        parts = torch.split(weights, self.sizes, 1)
        pairs = zip(self.shapes.items(), parts, strict=True)
        return {name: part.view(len(part), *shape) for (name, shape), part in pairs}

    def outputs(self, weights: dict[str, Tensor], x: Tensor, shared: bool) -> Tensor:
        """What each network of these weights (`named`) gives (K, rows, outputs): for the same rows `x` where they are
        shared, else for its own."""

        def one(parameters: dict[str, Tensor], rows: Tensor) -> Any:
            return functional_call(self._net, parameters, (rows,))

        found: Tensor = vmap(one, in_dims=(0, None if shared else 0))(weights, x)
        return found

    def row_losses(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        """The loss of every row, shape (K, rows); `targets` is (K, rows) or, for squared errors, (K, rows, outputs)."""
        if self._cell.loss == "cross_entropy":
            each = functional.cross_entropy(
                outputs.flatten(0, 1), targets.flatten(), reduction="none", label_smoothing=smoothing
            )
            return each.view(outputs.shape[:2])
        rows: Tensor = (outputs - targets).square().sum(2) / 2
        return rows

    def losses(self, weights: dict[str, Tensor], rows: Tensor | None) -> Tensor:
        """What each cell makes smaller on its rows (K, B) of the training table, all where there are none: (K,)."""
        x, targets, _ = self._taken(self.train, rows)
        outputs = self.outputs(weights, x, rows is None and self.splits == 1)
        each = self.row_losses(outputs, targets, self._cell.label_smoothing)
        return each.mean(1) if self._cell.reduction == "mean" else each.sum(1)

    def gradient(self, rows: Tensor | None) -> tuple[Tensor, Tensor]:
        """The losses of the cells on these rows (K,), and their gradient (K, P)."""
        # A leaf for each parameter, and one copy at the end: backward through views of one leaf takes several.
        leaves = {name: part.requires_grad_() for name, part in self.named(self.weights.detach()).items()}
        with torch.enable_grad():
            losses = self.losses(leaves, rows)
            parts = torch.autograd.grad(losses.sum(), list(leaves.values()))
        return losses.detach(), torch.cat([part.flatten(1) for part in parts], 1)

    def _taken(self, table: Table, rows: Tensor | slice | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Inputs (shared: without the leading axis), targets and classes of the rows, of each cell's own split."""
        stretch = slice(None) if rows is None else rows
        if isinstance(stretch, slice) and self.splits == 1:
            classes = None if table.classes is None else table.classes[stretch]
            targets = table.targets[stretch]
            return table.x[stretch], targets.expand(len(self), *targets.shape), classes
        if isinstance(stretch, slice):
            each = len(table) // self.splits
            own = torch.arange(each, device=self.device)[stretch] + self._own * each
        else:
            own = stretch
        classes = None if table.classes is None else _picked(table.classes, own)
        return _picked(table.x, own), _picked(table.targets, own), classes

    def rows(self, done: int) -> Iterator[Tensor | None]:
        """The rows (K, B) of each update after `done`; None where each takes all of them."""
        cell = self._cell
        if cell.batch_size == cell.rows:
            yield from repeat(None)
        skip = done % cell.steps_per_epoch
        for epoch in count(done // cell.steps_per_epoch):
            seen = {(own.seed, own.shuffle): own for own in self.cells}
            orders = {key: order(own, epoch) for key, own in seen.items()}
            host = np.stack([orders[own.seed, own.shuffle] for own in self.cells])
            taken = sent(torch.from_numpy(host), self.device) + self._own * cell.rows
            yield from torch.split(taken, cell.batch_size, 1)[skip:]
            skip = 0

    def evaluate(self) -> dict[str, Tensor]:
        """Loss and accuracy of the training and validation rows, each (K,), float64; nobody has waited for them."""
        return self._measure("train", self.train) | self._measure("val", self.validation)

    def evaluate_test(self) -> dict[str, NDArray[np.float64]]:
        """Loss and accuracy of the test part, each (K,), where it is not the validation set; else nothing."""
        found = {} if self.test is None else self._measure("test", self.test)
        return {name: values.cpu().numpy() for name, values in found.items()}

    @torch.no_grad()
    def _measure(self, prefix: str, table: Table) -> dict[str, Tensor]:
        n, most = len(table) // self.splits, max(LEAST_ROWS, EVALUATED_ROWS // len(self))
        loss = torch.zeros(len(self), dtype=torch.float64, device=self.device)
        right = torch.zeros_like(loss)
        for first in range(0, n, most):
            x, targets, classes = self._taken(table, slice(first, min(first + most, n)))
            outputs = self.outputs(self.named(self.weights), x, self.splits == 1)
            loss += self.row_losses(outputs, targets).sum(1, dtype=torch.float64)
            if classes is not None:
                right += (outputs.argmax(2) == classes).sum(1)
        found = {f"{prefix}_loss": loss / n}
        return found if table.classes is None else found | {f"{prefix}_accuracy": right / n}

    def weights_of(self, position: int) -> Mapping[str, NDArray[Any]]:
        """Copies of one cell's parameters, by name."""
        own = self.weights[position : position + 1]
        return {name: value[0].cpu().numpy().copy() for name, value in self.named(own).items()}


class _Columns(nn.Linear):
    """The same outputs by products of weights and columns, whose gradient has the layout of the weights."""

    def forward(self, x: Tensor) -> Tensor:
        columns = self.weight @ x.t()
        return (columns if self.bias is None else columns + self.bias[:, None]).t()


def _by_columns(net: nn.Module) -> nn.Module:
    for module in net.modules():
        if type(module) is nn.Linear:
            module.__class__ = _Columns
    return net


def _split_seed(cell: Cell) -> int:
    """What draws the cell's split; the same for all where nothing is drawn."""
    return cell.seed_of_split if cell.dataset.held_out else 0


def sent(values: Tensor, device: torch.device) -> Tensor:
    """The host's values on the device: from pinned memory, since the host would else wait for all that is queued."""
    return values if device.type == "cpu" else values.pin_memory().to(device, non_blocking=True)


def _picked(values: Tensor, rows: Tensor) -> Tensor:
    """These rows (K, B) of the values, which have rows along their first axis."""
    return values.index_select(0, rows.flatten()).view(*rows.shape, *values.shape[1:])
