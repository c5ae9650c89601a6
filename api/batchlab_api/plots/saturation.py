"""How long an update takes as its batch grows: flat until the device is busy, then in proportion to the batch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Saturation:
    """The model `t(B) = max(t0, B / R)`."""

    seconds: float
    """t0: the time of an update that leaves the device idle."""
    rate: float
    """R: rows a second once it is busy."""
    spread: float
    """Root mean square of the residuals of log t: 0.1 is about ten per cent."""

    @property
    def knee(self) -> float:
        """The batch size t0 R at which the device becomes busy."""
        return self.seconds * self.rate

    def at(self, batch_size: float) -> float:
        """Seconds of an update of so many rows."""
        return max(self.seconds, batch_size / self.rate)


def fit(batch_sizes: Sequence[float], seconds: Sequence[float]) -> Saturation:
    """The least squares of log t over t0 and R, exactly: one of the few ways to split the sizes at the knee.

    `batch_sizes` ascend. Given that the first k sizes lie on the flat part, both numbers are geometric means.
    """
    logs = [(math.log(b), math.log(t)) for b, t in zip(batch_sizes, seconds, strict=True)]
    return min((_split(logs, k) for k in range(len(logs) + 1)), key=lambda found: found.spread)


def _split(logs: Sequence[tuple[float, float]], k: int) -> Saturation:
    flat = [t for _, t in logs[:k]] or [-math.inf]
    steep = [b - t for b, t in logs[k:]] or [math.inf]
    level, rate = sum(flat) / len(flat), sum(steep) / len(steep)
    squares = [(t - max(level, b - rate)) ** 2 for b, t in logs]
    return Saturation(math.exp(level), math.exp(rate), math.sqrt(sum(squares) / len(logs)))
