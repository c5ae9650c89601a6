"""The critical batch size of a sweep: where a larger batch stops saving updates in proportion.

    (S / S_min - 1) (E / E_min - 1) = 1,   hence   S(B) = S_min (1 + B_crit / B),   B_crit = E_min / S_min

S is the number of updates to a target and E = S B that of examples (McCandlish, Kaplan et al. 2018, equation 2.11).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Setting = tuple[float, ...]
"""A rate, and what else was varied beside it."""
Runs = Mapping[int, Mapping[Setting, Mapping[int, float]]]
"""Updates to the target by batch size, setting and seed; infinite where the target was not reached."""


@dataclass(frozen=True)
class Best:
    """The setting with which a batch size reaches the target in the fewest updates on average; those by seed."""

    batch: int
    setting: Setting
    updates: Mapping[int, float]

    @property
    def mean(self) -> float:
        """Mean number of updates over the seeds."""
        return float(np.mean(list(self.updates.values())))


@dataclass(frozen=True)
class Hyperbola:
    """The fitted curve: S_min in updates and B_crit in rows."""

    fewest_updates: float
    critical_batch: float

    @property
    def fewest_examples(self) -> float:
        """E_min in rows."""
        return self.fewest_updates * self.critical_batch


def best_settings(runs: Runs) -> list[Best]:
    """The best setting of each batch size, ascending; batch sizes that none brings to the target are left out.

    One with which a seed missed the target, or has no run that ended well (it diverged, say), is no candidate: its mean
    would be that of the lucky seeds. Every seed that occurs anywhere is asked for.
    """
    seeds = {seed for settings in runs.values() for by_seed in settings.values() for seed in by_seed}
    missed, found = dict.fromkeys(sorted(seeds), float("inf")), []
    for batch in sorted(runs):
        each = [Best(batch, setting, missed | dict(by_seed)) for setting, by_seed in runs[batch].items()]
        best = min(each, key=lambda one: one.mean)
        if np.isfinite(best.mean):
            found.append(best)
    return found


def fit(batches: Vector, updates: Vector) -> Hyperbola:
    """The hyperbola through S at each B by least squares in log S, as updates scatter in proportion to their number."""
    from scipy.optimize import least_squares

    logs = np.log(batches)

    def misses(point: Vector) -> Vector:
        missed: Vector = point[0] + np.logaddexp(0.0, point[1] - logs) - np.log(updates)
        return missed

    start = np.array([np.log(updates.min()), float(np.median(logs))])
    found = least_squares(misses, start, bounds=(start - 20.0, start + 20.0)).x
    return Hyperbola(float(np.exp(found[0])), float(np.exp(found[1])))


def interval(best: Sequence[Best], confidence: float) -> tuple[float, float, float] | None:
    """The critical batch's bounds and the standard error of its logarithm, by leaving out one seed at a time; None for
    a single seed.
    """
    seeds = sorted(set.intersection(*(set(b.updates) for b in best)))
    batches = np.array([float(b.batch) for b in best])
    table = np.array([[b.updates[s] for s in seeds] for b in best])
    return jackknife(lambda kept: fit(batches, table[:, kept].mean(1)).critical_batch, len(seeds), confidence)


def jackknife(
    estimate: Callable[[NDArray[np.int64]], float], seeds: int, confidence: float
) -> tuple[float, float, float] | None:
    """Bounds of a positive estimate and the standard error of its logarithm; `estimate` takes the seeds to use.

    The jackknife in the logarithm with Student's t, as seeds are few; None for a single seed, and where some seeds
    without another have no positive estimate.
    """
    from scipy.stats import t

    everyone = np.arange(seeds)
    if seeds < 2:
        return None
    found = np.array([estimate(everyone), *(estimate(np.delete(everyone, i)) for i in everyone)])
    if not (found > 0).all():
        return None
    middle, logs = float(np.log(found[0])), np.log(found[1:])
    error = float(np.sqrt((seeds - 1) / seeds * np.square(logs - logs.mean()).sum()))
    reach = float(t.ppf((1 + confidence) / 2, seeds - 1)) * error
    return float(np.exp(middle - reach)), float(np.exp(middle + reach)), error


def noise_scale(
    measured: Mapping[int, Sequence[tuple[float, float]]], confidence: float
) -> tuple[float, float | None, float | None] | None:
    """The noise scale of several runs with its bounds: their mean scatter over their mean signal, which `measured`
    holds by seed. None where the signal is not above 0, or nothing was measured; no bounds for a single seed.
    """
    each = np.array([np.mean(pairs, axis=0) for _, pairs in sorted(measured.items())]).reshape(-1, 2)
    scatter, signal = each.sum(0) if len(each) else (0.0, 0.0)
    if signal <= 0:
        return None

    def ratio(kept: NDArray[np.int64]) -> float:
        over, under = each[kept].sum(0)
        return float(over / under) if under > 0 else float("nan")

    bounds = jackknife(ratio, len(each), confidence)
    return (float(scatter / signal), *((None, None) if bounds is None else bounds[:2]))
