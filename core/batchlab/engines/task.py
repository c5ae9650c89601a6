"""What a cell trains: its data, network, loss and optimizer on one device, and how they are evaluated and kept."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional

from batchlab import streams
from batchlab.cell import Cell
from batchlab.datasets import Arrays, Part, split
from batchlab.engines.averaging import Averaging
from batchlab.engines.layout import Rows, in_place_of, keep_freed_memory, laid_out, lay_out, layout, parts, take
from batchlab.engines.objective import Objective
from batchlab.engines.stepping import backward, stepper
from batchlab.init import network
from batchlab.models.modules import draws_of

CPU_BYTES = 2**30
"""What one pass over a batch may keep for the backward pass; larger batches are trained in parts."""
EVALUATED_ROWS = 8192
"""Rows that are evaluated at once, at most."""
EVALUATED_BYTES = 2**25
"""Rows that are evaluated at once on a CPU would keep no more than this for a backward pass: caches hold them."""
ON_HOST = frozenset({"step", "rate"})
"""Scalars among what optimizers remember, which are kept on the host unless all is done in one call."""


@dataclass(frozen=True)
class Table:
    """Rows on the device: inputs, what the loss compares them with, and their classes (None in regression)."""

    x: Tensor
    targets: Tensor
    classes: Tensor | None

    def __len__(self) -> int:
        return len(self.x)


class Task:
    """A cell with its data on a device, the network with its initial weights, and the optimizer."""

    def __init__(self, cell: Cell, data: Arrays, device: torch.device) -> None:
        exact_arithmetic()
        keep_freed_memory()
        self.cell, self.device = cell, device
        self._dtype = dtype_of(cell)
        net = network(cell.model, cell.info.shape, cell.info.outputs, cell.init, cell.seed)
        memory = layout(net, cell.precision, device)
        self.net = lay_out(net.to(device, self._dtype), memory)
        rows = split(cell.dataset, data, cell.seed_of_split)
        self.train, self.validation = self._table(rows.train, memory), self._table(rows.validation, memory)
        self.test = None if rows.test is None else self._table(rows.test, memory)
        self._draws = draws_of(self.net, device)
        self.names = [name for name, _ in self.net.named_parameters()]
        self.shapes = {name: tuple(p.shape) for name, p in self.net.named_parameters()}
        self.params = list(self.net.parameters())
        self.start = (
            [p.detach().clone() for p in self.params] if any(probe.need == "distance" for probe in cell.probes) else []
        )
        """The initial weights, where a probe looks back at them."""
        self.optimizer: torch.optim.Optimizer = cell.optimizer.build(self.params, cell.lr, cell.momentum)
        self.batch: Rows = slice(None)
        """The rows whose gradient was taken last."""
        self._objective = Objective(self)
        self.step = stepper(self)
        self._row_bytes = max(1, self._kept_bytes(2) - self._kept_bytes(1))
        self.most_rows = self._affordable_rows()
        """Rows that one pass takes; a larger batch is trained in parts, with the mean over the whole batch."""
        self._update = self._before = 0
        self.average = None if cell.average is None else Averaging(self)
        self.memory: dict[str, Tensor] = {}
        """What is kept from one update for what is measured at the next."""

    def _table(self, part: Part, memory: torch.memory_format) -> Table:
        return table(self.cell, part, self.device, memory)

    def begin_with(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Put these weights (parameters and buffers by name) in the place of the drawn ones."""
        self.net.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
        self.start = [p.detach().clone() for p in self.params] if self.start else []

    def outputs(self, x: Tensor) -> Tensor:
        """What the network gives for these rows."""
        if self.cell.precision != "bfloat16":
            return self.net(x)  # type: ignore[no-any-return]
        with torch.autocast(self.device.type, torch.bfloat16):
            return self.net(x).float()  # type: ignore[no-any-return]

    def loss(self, outputs: Tensor, targets: Tensor, reduction: str) -> Tensor:
        """The loss by which rows are judged: their `mean`, their `sum`, or `none` for one number a row."""
        if self.cell.loss == "cross_entropy":
            return functional.cross_entropy(outputs, targets, reduction=reduction)
        rows = outputs[:, 0] if self.cell.loss == "output" else (outputs - targets).square().sum(1) / 2
        return rows if reduction == "none" else rows.mean() if reduction == "mean" else rows.sum()

    def set_rate(self, rate: float, momentum: float | None = None) -> None:
        """The rate of the next update and, where given, its momentum (the first beta, where there are betas)."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
            if momentum is None:
                continue
            if "betas" in group:
                group["betas"] = (momentum, group["betas"][1])
            else:
                group["momentum"] = momentum

    def begin(self, update: int, examples: int) -> None:
        """Say which update (from 1) the next gradients are of, and how many rows those before it have seen.

        What is drawn for an update depends on nothing else.
        """
        epoch = examples / len(self.train)
        self._update, self._before = update, examples
        if self.average is not None:
            self.average.before(update - 1)
        self._objective.begin(update, int(epoch))
        if self.cell.optimizer.follows_epochs:
            for group in self.optimizer.param_groups:
                group["epoch"] = epoch

    def finish(self, update: int) -> None:
        """Say that this update is taken and measured, before it is evaluated."""
        if self.average is not None:
            self.average.after(update)

    def backward(self, rows: Rows) -> Tensor:
        """Leave the gradient of what is minimised on the batch in the parameters; returns its value, detached."""
        self.batch = rows
        while True:
            for p in self.params:  # what zero_grad does, without its profiling hook: a tenth of a small update
                p.grad = None
            if self._draws is not None:
                self._draws.manual_seed(streams.torch_seed(self.cell.seed, "dropout", self._update))
            try:
                return self._backward(rows)
            except torch.OutOfMemoryError:
                smaller = self._whole(min(self.most_rows, len(self.train)) // 2)
                if smaller >= min(self.most_rows, len(self.train)):
                    raise
                self.most_rows = smaller

    def _backward(self, rows: Rows) -> Tensor:
        table, reduction = self.train, self.cell.reduction
        self._objective.begin_pass()
        n = len(table) if isinstance(rows, slice) else len(rows)
        if n <= self.most_rows:
            loss = self._objective(rows, take(table.x, rows), take(table.targets, rows), reduction)
            backward(loss)
            return loss.detach()
        total = torch.zeros((), dtype=self._dtype, device=self.device)
        for part in parts(rows, n, self.most_rows):
            loss = self._objective(part, take(table.x, part), take(table.targets, part), "sum")
            loss = loss / n if reduction == "mean" else loss
            backward(loss)
            total += loss.detach()
        return total

    @property
    def update(self) -> int:
        """Which update the last gradients were of; 0 before the first."""
        return self._update

    @property
    def seen(self) -> int:
        """Rows that the updates have taken so far, the last one's among them."""
        if not self._update:
            return 0
        return self._before + (len(self.train) if isinstance(self.batch, slice) else len(self.batch))

    def gradient(self) -> Tensor:
        """The gradient that was taken last: all its numbers in a row, 0 for what the loss does not reach; a copy."""
        return flat([torch.zeros_like(p) if p.grad is None else p.grad for p in self.params])

    def evaluate(self) -> dict[str, Tensor]:
        """Loss and accuracy of the training and validation rows, with what probes add; nobody has waited for them."""
        found = self._measure("train", self.train) | self._measure("val", self.validation)
        for probe in self.cell.probes:
            found |= probe.evaluate(self)
        return found

    def evaluate_test(self) -> dict[str, float]:
        """Loss and accuracy of the test part, where it is not the validation set; else nothing."""
        found = {} if self.test is None else self._measure("test", self.test)
        return {name: float(value) for name, value in found.items()}

    def stretches(self) -> Iterator[Tensor]:
        """The inputs of the training rows in order, in parts as large as can be."""
        most = min(self.most_rows, EVALUATED_ROWS)
        return (self.train.x[part] for part in parts(slice(None), len(self.train), most))

    @property
    def _evaluated_rows(self) -> int:
        cached = EVALUATED_ROWS if self.device.type != "cpu" else max(1, EVALUATED_BYTES // self._row_bytes)
        return min(self.most_rows, EVALUATED_ROWS, cached)

    @torch.no_grad()
    def _measure(self, prefix: str, table: Table) -> dict[str, Tensor]:
        self.net.eval()
        loss = torch.zeros((), dtype=torch.float64, device=self.device)
        right = torch.zeros((), dtype=torch.float64, device=self.device)
        for part in parts(slice(None), len(table), self._evaluated_rows):
            outputs = self.outputs(table.x[part])
            loss += self.loss(outputs, table.targets[part], "none").sum(dtype=torch.float64)
            if table.classes is not None:
                right += (outputs.argmax(1) == table.classes[part]).sum()
        self.net.train()
        found = {f"{prefix}_loss": loss / len(table)}
        return found if table.classes is None else found | {f"{prefix}_accuracy": right / len(table)}

    def _whole(self, rows: int) -> int:
        """About so many rows, without cutting what the network must see at once: batch norm's statistics, say."""
        together = int(min(self.cell.model.together, len(self.train)))
        return max(1, rows // together) * together

    def _affordable_rows(self) -> int:
        """Rows whose pass fits in memory."""
        limit = CPU_BYTES if self.device.type == "cpu" else torch.cuda.mem_get_info(self.device)[0] // 2
        passes = 1 if self.cell.adversarial is None else 2
        return self._whole(limit // (self._row_bytes * passes))

    def _kept_bytes(self, rows: int) -> int:
        """What a pass over so many rows keeps for the way back."""
        kept = 0

        def count(tensor: Tensor) -> Tensor:
            nonlocal kept
            kept += tensor.numel() * tensor.element_size()
            return tensor

        self.net.eval()  # trying it out must not move the averages that some layers keep
        x, targets = (t[:1].expand(rows, *t.shape[1:]) for t in (self.train.x, self.train.targets))
        with saved_tensors_hooks(count, lambda tensor: tensor):
            self.loss(self.outputs(x), targets, "mean")
        self.net.train()
        return kept

    def weights(self) -> dict[str, NDArray[Any]]:
        """Copies of the network's parameters and buffers, by name."""
        return {name: value.detach().cpu().numpy().copy() for name, value in self.net.state_dict().items()}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Copies of the weights and of what the optimizer remembers, by name."""
        held = {f"net/{name}": value for name, value in self.net.state_dict().items()}
        for i, p in enumerate(self.params):
            memory = self.optimizer.state.get(p, {})
            held |= {f"optimizer/{i}/{name}": value for name, value in memory.items() if value is not None}
        if self.average is not None:
            held |= self.average.arrays()
        if self.cell.pretraining is not None:  # else drawn anew
            held |= {f"begun/{i}": value for i, value in enumerate(self.start)}
        held |= {f"memory/{name}": value for name, value in self.memory.items()}
        return {name: value.detach().cpu().numpy().copy() for name, value in held.items()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take up the weights and the optimizer's memory that `arrays` gave."""
        held = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
        weights = {name.removeprefix("net/"): value for name, value in held.items() if name.startswith("net/")}
        self.net.load_state_dict(weights)
        if self.cell.pretraining is not None:
            self.start = [in_place_of(p, held[f"begun/{i}"]) for i, p in enumerate(self.start)]
        kept = {name.removeprefix("memory/"): value for name, value in held.items() if name.startswith("memory/")}
        self.memory = {name: value.to(self.device) for name, value in kept.items()}
        for i, p in enumerate(self.params):
            prefix = f"optimizer/{i}/"
            for name in [name for name in held if name.startswith(prefix)]:
                own = name.removeprefix(prefix)
                on_host = own in ON_HOST and not self.optimizer.defaults.get("fused")
                self.optimizer.state[p][own] = held[name] if on_host else in_place_of(p, held[name])


def dtype_of(cell: Cell) -> torch.dtype:
    """What its weights are held in."""
    return torch.float64 if cell.precision == "float64" else torch.float32


def table(cell: Cell, part: Part, device: torch.device, memory: torch.memory_format = torch.contiguous_format) -> Table:
    """The rows of a part on the device, as the cell's loss takes them; pictures are laid out as `memory` says."""
    dtype = dtype_of(cell)
    inputs, labels = (torch.from_numpy(values).to(device) for values in part)
    inputs = laid_out(inputs.to(dtype), memory)
    if cell.info.classes is None:
        return Table(inputs, labels.to(dtype)[:, None], None)
    if cell.loss == "cross_entropy":
        return Table(inputs, labels, labels)
    return Table(inputs, functional.one_hot(labels, cell.info.classes).to(dtype), labels)


def flat(values: Sequence[Tensor]) -> Tensor:
    """All their numbers in a row; a copy."""
    return torch.cat([value.flatten() for value in values])


def exact_arithmetic() -> None:
    """Make a GPU compute what is asked: float32 without shortcuts, by algorithms that give the same bits each time."""
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
    torch.backends.cuda.matmul.fp32_precision = "ieee"
