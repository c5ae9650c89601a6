"""Means with Student's intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Summary:
    """Mean, standard deviation and 95 % interval of the mean; the last two are None for a single value."""

    n: int
    mean: float
    sd: float | None
    ci95: tuple[float, float] | None


def summary(values: Sequence[float]) -> Summary:
    """Summary of independent values: `mean +- t(0.975, n - 1) * sd / sqrt(n)` (Student 1908).

    >>> summary([1.0, 2.0, 3.0]).ci95
    (-0.484137..., 4.484137...)
    """
    if not values:
        raise ValueError("a summary needs at least one value")
    x = np.asarray(values, dtype=np.float64)
    mean, n = float(x.mean()), len(x)
    if n == 1:
        return Summary(1, mean, None, None)
    return Summary(n, mean, float(x.std(ddof=1)), interval(values))


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Student's interval for the mean of at least two independent values."""
    x = np.asarray(values, dtype=np.float64)
    mean, n = float(x.mean()), len(x)
    half = student_t(n - 1, confidence) * float(x.std(ddof=1)) / n**0.5
    return mean - half, mean + half


def student_t(freedom: int, confidence: float = CONFIDENCE) -> float:
    """The two-sided quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + confidence) / 2))
