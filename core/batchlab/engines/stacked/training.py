"""The updates of a stack."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batchlab.engines.batches import CHUNK, settings
from batchlab.engines.stacked.descent import rule
from batchlab.engines.stacked.gauges import Gauges
from batchlab.engines.stacked.stack import Stack, sent


class Training:
    """Takes updates. `alive` (K,) says which cells still move: one whose loss was not finite, or which has reached its
    target, is left where it is while the others go on."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.rule, self.gauges = stack, rule(stack), Gauges(stack)
        self.alive = torch.ones(len(stack), dtype=torch.bool, device=stack.device)

    @property
    def measured(self) -> tuple[int, int]:
        """The shape of what an update gives: cells, columns."""
        return len(self.stack), 1 + sum(self.gauges.widths().values())

    def update(self, rows: Tensor | None, numbers: Tensor) -> Tensor:
        """Take one update on these rows with these numbers, (how many, K, 1); returns what was measured, (K, columns).

        Nothing is waited for. What is kept is changed in place or put elsewhere: `in_place` takes it back.
        """
        before = self.stack.weights
        losses, gradient = self.stack.gradient(rows)
        self.stack.weights = after = self.rule.step(before, gradient, numbers, self.alive[:, None])
        self.alive.logical_and_(losses.isfinite())
        return torch.cat(self.gauges.take(losses, gradient, before, after, numbers[0]), 1)

    def freeze(self, ended: Tensor) -> None:
        """Leave these cells (K,) where they are from now on."""
        self.alive.logical_and_(ended.logical_not())

    def numbers(self, done: int) -> Iterator[Tensor]:
        """What each update after `done` takes that changes in time: (how many, K, 1)."""
        stack, skip = self.stack, done % CHUNK
        while True:
            first = done - skip
            found = [settings(cell, first, CHUNK) for cell in stack.cells]
            rates, momenta = (np.stack(columns, 1) for columns in zip(*found, strict=True))
            steps = np.arange(first, first + CHUNK, dtype=np.float64)
            taken = np.stack(self.rule.numbers(steps, rates, momenta), 1)[..., None]
            yield from sent(torch.from_numpy(taken).to(stack.dtype), stack.device)[skip:]
            done, skip = first + CHUNK, 0

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put all that is kept where it was, at the end: for `replay`, which captures places."""
        places = self._held()
        try:
            yield
            for name, value in self._held().items():
                if value is not places[name]:
                    places[name].copy_(value)
        finally:
            self.stack.weights = places["weights"]
            self.rule.memory = {name: places[f"rule/{name}"] for name in self.rule.memory}

    @contextmanager
    def on_trial(self) -> Iterator[None]:
        """Take back, at the end, all updates that are taken within."""
        kept = {name: value.clone() for name, value in self._held().items()}
        yield
        for name, value in self._held().items():
            value.copy_(kept[name])

    def _held(self) -> dict[str, Tensor]:
        """All that an update depends on beside its rows and numbers, by name."""
        return {
            "weights": self.stack.weights,
            "alive": self.alive,
            **{f"rule/{name}": value for name, value in self.rule.memory.items()},
            **{f"memory/{name}": value for name, value in self.gauges.memory.items()},
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Copies of the weights and of what is remembered, by name."""
        return {name: value.cpu().numpy().copy() for name, value in self._held().items()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take up what `arrays` gave."""
        for name, value in self._held().items():
            value.copy_(torch.from_numpy(np.array(arrays[name])))
