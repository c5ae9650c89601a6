"""Comparisons over seeds: one value for each seed (a paired difference or log ratio) against a number."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from batchlab.statistics.means import CONFIDENCE, interval


@dataclass(frozen=True)
class Comparison:
    """The mean of paired effects with its interval, its test against 0 and its size in standard deviations."""

    n: int
    effect: float
    sd: float
    ci: tuple[float, float]
    p: float
    """Two-sided, against no effect."""
    d_z: float
    """effect / sd (Cohen 1988); infinite where all pairs have the same effect."""
    hedges_g: float
    """d_z without its bias for small n: times 1 - 3 / (4 (n - 1) - 1) (Hedges 1981)."""


def compare(effects: Sequence[float], confidence: float = CONFIDENCE) -> Comparison:
    """Student's one-sample test of at least two paired effects.

    >>> round(compare([0.9, 1.1, 1.3, 0.7]).p, 6)
    0.004475
    """
    x = np.asarray(effects, dtype=np.float64)
    mean, sd, n = float(x.mean()), float(x.std(ddof=1)), len(x)
    p = min(1.0, 2 * min(p_greater(effects, 0.0), p_less(effects, 0.0)))
    d_z = mean / sd if sd > 0 else math.copysign(math.inf, mean) if mean else 0.0
    return Comparison(n, mean, sd, interval(effects, confidence), p, d_z, d_z * _unbiased(n - 1))


def _unbiased(freedom: int) -> float:
    return 1 - 3 / (4 * freedom - 1)


def p_greater(effects: Sequence[float], bound: float) -> float:
    """One-sided p of Student's test that the mean is above `bound`; with no spread at all, 0 if it is and else 1."""
    from scipy.special import stdtr

    x = np.asarray(effects, dtype=np.float64)
    mean, error = float(x.mean()), float(x.std(ddof=1)) / len(x) ** 0.5
    if error == 0:
        return 0.0 if mean > bound else 1.0
    return float(stdtr(len(x) - 1, (bound - mean) / error))


def p_less(effects: Sequence[float], bound: float) -> float:
    """One-sided p of Student's test that the mean is below `bound`."""
    return p_greater([-effect for effect in effects], -bound)


def tost(effects: Sequence[float], margin: float) -> float:
    """p of two one-sided tests that the mean lies within +-margin (Schuirmann 1987)."""
    return max(p_greater(effects, -margin), p_less(effects, margin))
