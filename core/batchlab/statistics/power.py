"""How many seeds it takes to see a difference, by the noncentral t distribution."""

from collections.abc import Callable

import numpy as np

from batchlab.statistics.means import student_t

ALPHA = 0.05
POWER = 0.8
MOST = 10_000
"""Beyond so many seeds nobody is told a number."""


def power(d: float, n: int, alpha: float = ALPHA) -> float:
    """Chance that a two-sided paired t test of n seeds sees an effect of `d` standard deviations of the pairs.

    >>> round(power(0.5, 34), 4)
    0.8078
    """
    from scipy.special import nctdtr

    t, shift = student_t(n - 1, 1 - alpha), abs(d) * n**0.5
    below, far = np.nan_to_num(nctdtr(n - 1, shift, [t, -t]))  # nan where a tail is too small for float64
    return float(1 - below + far)


def equivalence_power(d: float, n: int, alpha: float = ALPHA) -> float:
    """Chance that an interval of confidence 1 - alpha lies within +-`d` standard deviations where there is no effect.

    Both sides must hold; taken as `1 - 2 P(one fails)`, which is exact to the order of P squared.
    """
    from scipy.special import nctdtr

    missed = float(np.nan_to_num(nctdtr(n - 1, abs(d) * n**0.5, student_t(n - 1, 1 - alpha))))
    return max(0.0, 1 - 2 * missed)


def required_n(d: float, chance: float = POWER, alpha: float = ALPHA) -> int | None:
    """Seeds for which `power` is at least `chance`; None where more than ten thousand are needed.

    >>> required_n(0.5)
    34
    """
    return _least(lambda n: power(d, n, alpha), chance)


def required_n_equal(d: float, chance: float = POWER, alpha: float = ALPHA) -> int | None:
    """Seeds for which `equivalence_power` is at least `chance`; None where more than ten thousand are needed."""
    return _least(lambda n: equivalence_power(d, n, alpha), chance)


def _least(chance_of: Callable[[int], float], chance: float) -> int | None:
    """The least n from 2 on with that chance, which grows with n."""
    low, high = 1, 2
    while chance_of(high) < chance:
        low, high = high, 2 * high
        if low >= MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if chance_of(middle) >= chance else (middle, high)
    return high
