"""Averages of the weights while a cell trains: see `batchlab.methods.averages`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batchlab.engines.norms import reestimate
from batchlab.methods.averages import Moments

if TYPE_CHECKING:
    from batchlab.engines.task import Task

MEAN, START = "average/", "start/"
"""Prefixes of the arrays in a snapshot: the mean so far, and what phase 1 left."""


class Averaging:
    """The running mean of a task's weights, and what the weights that went into it gave."""

    def __init__(self, task: "Task") -> None:
        self._task = task
        rule: Any = task.cell.average
        self._moments: Moments = rule.moments(task.cell.steps, task.cell.clock)
        self._mean: dict[str, Tensor] = {}
        self._start: dict[str, Tensor] = {}
        self._taken = 0
        self.facts: dict[str, float] = {}
        """What the result says of the weights before they were averaged."""

    def before(self, done: int) -> None:
        """Act before the update that follows `done` finished ones: begin a member where one begins."""
        if done not in self._moments.begun:
            return
        if done == self._moments.begun[0]:
            self._start = {name: value.clone() for name, value in self._task.net.state_dict().items()}
            self._note("phase_1")
        self._task.net.load_state_dict(self._start)
        forget(self._task.optimizer)

    def after(self, done: int) -> None:
        """Act after an update: take the weights where they are due; the last update leaves the mean in the network."""
        if done in self._moments.taken:
            self._take()
            if self._moments.begun:
                self._note(f"member_{self._taken}")
        if done == self._task.cell.steps and self._taken:
            if self._moments.begun:
                self._note_members()
            else:
                self._note("unaveraged")
            self._leave_mean()

    def _take(self) -> None:
        self._taken += 1
        for name, p in self._task.net.named_parameters():
            mean = self._mean.setdefault(name, torch.zeros_like(p))
            mean.add_((p.detach() - mean) / self._taken)

    def _note(self, prefix: str) -> None:
        self.facts |= {f"{prefix}_{name}": float(value) for name, value in self._task.evaluate().items()}

    def _note_members(self) -> None:
        """What the members gave on average, beside what their average gives."""
        names = [name.removeprefix("member_1_") for name in self.facts if name.startswith("member_1_")]
        for name in names:
            values = [self.facts[f"member_{i}_{name}"] for i in range(1, self._taken + 1)]
            self.facts[f"members_{name}"] = sum(values) / len(values)

    def _leave_mean(self) -> None:
        self._task.net.load_state_dict(self._mean, strict=False)
        reestimate(self._task.net, self._task.stretches(), self._task.net)

    def arrays(self) -> dict[str, Tensor]:
        """The tensors that a snapshot holds."""
        mean = {f"{MEAN}{name}": value for name, value in self._mean.items()}
        return mean | {f"{START}{name}": value for name, value in self._start.items()}

    def meta(self) -> dict[str, Any]:
        """The small facts that a snapshot holds."""
        return {"taken": self._taken, "facts": self.facts}

    def restore(self, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> None:
        """Take up what `arrays` and `meta` gave."""
        self._mean, self._start = (self._held(arrays, prefix) for prefix in (MEAN, START))
        self._taken, self.facts = int(meta["taken"]), dict(meta["facts"])

    def _held(self, arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, Tensor]:
        found = {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
        return {name: torch.from_numpy(np.array(value)).to(self._task.device) for name, value in found.items()}


def forget(optimizer: torch.optim.Optimizer) -> None:
    """Put all that the optimizer remembers back to 0, where it began."""
    for memory in optimizer.state.values():
        for value in memory.values():
            if isinstance(value, Tensor):
                value.zero_()
