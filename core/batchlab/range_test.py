"""The range test of the learning rate: which rate to take, read off the loss of a run whose rate rises.

The rules are those of the common finders, and they disagree: all of them are given, with how far they are apart. The
loss is that of each update, taken before it, at the rate that the update then uses.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
STOP = 4.0
"""A range test is over once the smoothed loss is this many times its least value so far."""
BETA = 0.98
"""Of the smoothing: how much of the past each value keeps."""
LEAD, TAIL = 10, 5
"""The first tenth of the run and its last five updates are not looked at."""
FEWEST = 20
"""Updates below which nothing is suggested."""


@dataclass(frozen=True)
class RangeTest:
    """What a range test has found: the curve up to its end, and a rate by each rule that found one."""

    rates: Floats
    smoothed: Floats
    """Losses with their past averaged in; both arrays end where the test stopped."""
    suggestions: dict[str, float]

    @property
    def spread(self) -> float | None:
        """The largest suggestion over the smallest; None without two of them."""
        found = self.suggestions.values()
        return max(found) / min(found) if len(found) > 1 else None


def smooth(losses: Floats, beta: float = BETA) -> Floats:
    """The exponential average of the losses so far, its start unbiased: weights beta^(k - i), over their sum."""
    smoothed, total, weight = np.empty_like(losses), 0.0, 0.0
    for k, loss in enumerate(losses):
        total, weight = beta * total + loss, beta * weight + 1.0
        smoothed[k] = total / weight
    return smoothed


def range_test(rates: Floats, losses: Floats) -> RangeTest:
    """The suggestions of one run: `rates` ascending, `losses` of the same updates, both of shape (updates,).

    Cut at the first loss that is not finite and where the smoothed loss is `STOP` times its least.
    """
    finite = np.isfinite(losses)
    end = len(losses) if finite.all() else int(np.argmin(finite))
    smoothed = smooth(losses[:end])
    beyond = np.flatnonzero(smoothed > STOP * np.minimum.accumulate(smoothed)) if end else np.zeros(0)
    end = int(beyond[0]) if beyond.size else end
    rates, smoothed = rates[:end], smoothed[:end]
    return RangeTest(rates, smoothed, suggest(rates, smoothed))


def suggest(rates: Floats, smoothed: Floats) -> dict[str, float]:
    """A rate by each rule, from the middle of a curve: without its first tenth and its last updates."""
    window = slice(len(rates) // LEAD, len(rates) - TAIL)
    lrs, losses = rates[window], smoothed[window]
    if len(rates) < FEWEST:
        return {}
    found = {name: rule(lrs, losses) for name, rule in RULES.items()}
    return {name: rate for name, rate in found.items() if rate is not None}


def minimum(rates: Floats, losses: Floats) -> float | None:
    """A tenth of the rate at the lowest loss (fastai)."""
    return float(rates[np.argmin(losses)]) / 10


def steepest(rates: Floats, losses: Floats) -> float | None:
    """Where the loss falls fastest against the logarithm of the rate: argmin dL / d log lr (fastai)."""
    slopes = np.diff(losses) / np.diff(np.log(rates))
    return float(rates[np.argmin(slopes)]) if slopes.min() < 0 else None


def steepest_step(rates: Floats, losses: Floats) -> float | None:
    """Where the loss falls fastest from update to update: argmin of its gradient (pytorch-lr-finder)."""
    slopes = np.gradient(losses)
    return float(rates[np.argmin(slopes)]) if slopes.min() < 0 else None


def valley(rates: Floats, losses: Floats) -> float | None:
    """Half way between a third and two thirds of the longest stretch of falling losses (fastai's default).

    The stretch may leave losses out: it is the longest falling subsequence.
    """
    length, end = np.ones(len(losses), dtype=np.int64), 0
    for i in range(1, len(losses)):
        before = length[:i][losses[:i] > losses[i]]
        length[i] = 1 + before.max(initial=0)
        end = i if length[i] > length[end] else end
    if length[end] < 2:
        return None
    third = length[end] / 3
    return float(rates[max(0, end - length[end] + int(third) + int(third / 2))])


def slide(rates: Floats, losses: Floats, apart: int = 15, threshold: float = 0.005) -> float | None:
    """From the end back, the first pair of updates `apart` whose slopes differ by less than `threshold` (fastai)."""
    slopes = np.gradient(losses)
    right = len(slopes) - 1
    while right - apart > 0 and abs(slopes[right] - slopes[right - apart]) > threshold:
        right -= 1
    return float(rates[right - apart]) if right - apart > 0 else None


RULES: dict[str, Callable[[Floats, Floats], float | None]] = {
    "minimum / 10": minimum,
    "steepest": steepest,
    "steepest step": steepest_step,
    "valley": valley,
    "slide": slide,
}
"""The rules by name; each takes rates and smoothed losses, and gives a rate or None."""


def bounds(rates: Floats, accuracies: Floats) -> tuple[float, float] | None:
    """Base and maximum of a cyclical rate: a third of the rate at the accuracy's peak, and that rate (Smith 2017).

    `accuracies` are those of evaluations after updates at `rates`. None where no accuracy is finite.
    """
    if not np.isfinite(accuracies).any():
        return None
    top = float(rates[np.nanargmax(accuracies)])
    return top / 3, top


def over_seeds(tests: Sequence[RangeTest]) -> dict[str, float]:
    """The median over seeds of each rule's suggestions."""
    names = dict.fromkeys(name for test in tests for name in test.suggestions)
    return {name: median(t.suggestions[name] for t in tests if name in t.suggestions) for name in names}


def agreement(suggestions: dict[str, float]) -> float | None:
    """The factor between the largest and the smallest suggestion as a number of powers of ten; None below two."""
    found = list(suggestions.values())
    return math.log10(max(found) / min(found)) if len(found) > 1 else None
