"""What a batch is trained on: its rows as augmentations leave them, and the loss that is minimised.

That loss may differ from the one by which a network is judged (`Task.loss`), which knows no smoothing, no adversary and
no changed pictures.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from batchlab import streams
from batchlab.engines.stepping import kept_buffers

if TYPE_CHECKING:
    from batchlab.cell import Cell
    from batchlab.engines.task import Task


class Objective:
    """The loss of training rows that an update makes smaller, at the place in the run that `begin` told."""

    def __init__(self, task: "Task") -> None:
        self._task, self._cell = task, task.cell
        self._augmenter = Augmenter(task.cell, task.device) if task.cell.augment else None
        self._adversary: Any = task.cell.adversarial
        self._noise: Any = None
        self.begin(1, 0)

    def begin(self, update: int, epoch: int) -> None:
        """The next gradients are of this update (from 1), in this epoch (from 0)."""
        self._update = update
        if self._augmenter is not None:
            self._augmenter.begin(epoch)

    def begin_pass(self) -> None:
        """The next rows are the first of a batch: each pass over a batch has the same noise, in whatever parts."""
        if self._adversary is not None:
            self._noise = streams.generator(self._cell.seed, "jitter", self._update)

    def __call__(self, rows: Any, x: Tensor, targets: Tensor, reduction: str) -> Tensor:
        """The loss of these rows (their numbers, what they hold): their `mean` or their `sum`."""
        if self._augmenter is not None:
            x = self._augmenter(x, rows)
        loss = partial(self._loss, targets=targets, reduction=reduction)
        if self._adversary is None:
            return loss(self._task.outputs(x))
        return self._against(x.detach().requires_grad_(), loss, reduction)

    def _loss(self, outputs: Tensor, targets: Tensor, reduction: str) -> Tensor:
        smoothing = self._cell.label_smoothing
        if smoothing:
            return functional.cross_entropy(outputs, targets, reduction=reduction, label_smoothing=smoothing)
        return self._task.loss(outputs, targets, reduction)

    def _against(self, x: Tensor, loss: Any, reduction: str) -> Tensor:
        """The loss under an adversary: a second pass over moved rows."""
        outputs = self._task.outputs(x)
        clean = loss(outputs)
        moved = self._adversary.moved(x, clean, self._normal)
        with kept_buffers(self._task.net):
            others = self._task.outputs(moved)
        drift = partial(_drift, outputs, others, self._cell.loss == "cross_entropy", reduction)
        combined: Tensor = self._adversary.combined(clean, loss(others), drift)
        return combined

    def _normal(self, like: Tensor) -> Tensor:
        numbers = self._noise.standard_normal(tuple(like.shape), dtype="float32")
        return torch.from_numpy(numbers).to(like.device, like.dtype)


def _drift(outputs: Tensor, others: Tensor, classes: bool, reduction: str) -> Tensor:
    """How far two outputs for the same rows differ: cross-entropy of the predictions, or half the squared distance."""
    if classes:
        return functional.cross_entropy(others, outputs.softmax(1), reduction=reduction)
    rows = (outputs - others).square().sum(1) / 2
    return rows.mean() if reduction == "mean" else rows.sum()


class Augmenter:
    """Changes pictures as drawn for each row of the epoch."""

    def __init__(self, cell: "Cell", device: torch.device) -> None:
        self._cell, self._device = cell, device
        self._epoch = -1
        self._drawn: Sequence[Tensor] = ()

    def begin(self, epoch: int) -> None:
        """Draw what happens to the rows of this epoch, once."""
        if epoch == self._epoch:
            return
        cell, self._epoch = self._cell, epoch
        rng = streams.generator(cell.seed, "augment", epoch)
        drawn = [each.draw(rng, cell.rows, cell.info.shape) for each in cell.augment]
        self._drawn = [torch.from_numpy(numbers).to(self._device) for numbers in drawn]

    def __call__(self, x: Tensor, rows: Any) -> Tensor:
        """The pictures `x` of these rows, changed."""
        for each, drawn in zip(self._cell.augment, self._drawn, strict=True):
            x = each.apply(x, drawn[rows])
        return x
