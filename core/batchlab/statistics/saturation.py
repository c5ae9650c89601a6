"""A time that stays the same until a machine is full, and is proportional to the work from there on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Saturation:
    """`t(B) = max(floor, B / throughput)`, fitted in the logarithm."""

    floor: float
    """Seconds of an update that does not fill the machine."""
    throughput: float
    """Rows a second beyond the knee; infinite where no size is beyond it."""
    scatter: float
    """Standard deviation of log t around the fit."""

    @property
    def knee(self) -> float:
        """The batch size at which the machine is full: floor times throughput."""
        return self.floor * self.throughput

    def seconds(self, batch: float) -> float:
        """The fitted time of an update."""
        return max(self.floor, batch / self.throughput)


def saturation(times: Mapping[float, float]) -> Saturation:
    """The fit to {batch: seconds} (at least two): least squares in log t over every way to divide small from large.

    >>> fit = saturation({1: 2.0, 10: 2.0, 100: 4.0, 1000: 40.0})
    >>> fit.floor, fit.throughput, fit.knee
    (2.0..., 25.0..., 50.0...)
    """
    batches = np.array(sorted(times), dtype=np.float64)
    logs = np.log([times[batch] for batch in sorted(times)])

    def fit(flat: int) -> Saturation:
        floor = logs[:flat].mean()
        rate = (np.log(batches[flat:]) - logs[flat:]).mean() if flat < len(batches) else math.inf
        rest = logs - np.maximum(floor, np.log(batches) - rate)
        return Saturation(float(np.exp(floor)), float(np.exp(rate)), float(np.sqrt((rest**2).mean())))

    return min((fit(flat) for flat in range(1, len(batches) + 1)), key=lambda found: found.scatter)
