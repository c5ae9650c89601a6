"""What a schedule is: the factor by which the rate is multiplied at each update.

A schedule is a pure function of the update's number, so that a run can be resumed anywhere, previews need no training
and every engine sees the same rates.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from batchlab.kinds import Kind

Floats = NDArray[np.float64]
Unit = Literal["fraction", "epochs", "steps"]
"""Lengths: fractions of the run, passes over the training rows, or updates."""
TOUCH = 1e-9
"""What a time may miss a milestone by and still be on it: lengths are products of floats."""


@dataclass(frozen=True)
class Clock:
    """What lengths are measured against: updates in the whole run, and updates per epoch.

    Where the batch size changes, updates per epoch are those of the batch size of the sweep, and `pace` tells how many
    batches of that size see as many rows as the first `done` updates. So a length in epochs means the same rows
    whatever the batch size does, as does one in fractions where the budget counts rows (`paced`); one in steps means
    updates.
    """

    steps: int
    steps_per_epoch: int
    pace: Callable[[Floats], Floats] | None = None
    paced: tuple[Unit, ...] = ("fraction", "epochs")
    planned: int | None = None
    """Updates that the run itself has, where `steps` are those of the run whose batch size stays."""

    @property
    def updates(self) -> int:
        """Updates in the run, as far as they are known beforehand."""
        return self.steps if self.planned is None else self.planned

    def length(self, value: float, unit: Unit) -> float:
        """A length in ticks, which are updates where the batch size is constant."""
        per = {"fraction": self.steps, "epochs": self.steps_per_epoch, "steps": 1}
        return value * per[unit]

    def ticks(self, done: Floats, unit: Unit) -> Floats:
        """The time after `done` updates, in the ticks of a length in `unit`."""
        return done if self.pace is None or unit not in self.paced else self.pace(done)

    def whole(self, unit: Unit) -> float:
        """The whole run, in the ticks of a length in `unit`."""
        return float(self.steps if unit == "fraction" else self.ticks(np.array(self.updates, np.float64), unit))

    def reached(self, ticks: Floats, unit: Unit) -> NDArray[np.int64]:
        """After how many updates so many ticks of a length in `unit` have passed, same shape: the nearest number.

        Where ticks are no updates it is the first number with as much behind it, or that of the whole run.
        """
        if self.pace is None or unit not in self.paced:
            return np.round(ticks).astype(np.int64)
        low, high = np.zeros(ticks.shape, np.int64), np.full(ticks.shape, self.updates)
        while (low < high).any():
            middle = (low + high) // 2
            enough = self.pace(middle.astype(np.float64)) >= ticks - TOUCH
            low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
        return high


class BaseSchedule(Kind):
    """What the schedules share."""

    family: ClassVar[str] = "schedules"

    @abstractmethod
    def factors(self, done: Floats, clock: Clock) -> Floats:
        """Factors on the rate for the updates that follow `done` finished ones (0 for the first), same shape."""

    def momentum_factors(self, done: Floats, clock: Clock) -> Floats:
        """Factors on the momentum of the same updates: 1, except where a schedule moves the momentum with the rate."""
        return np.ones_like(done)
