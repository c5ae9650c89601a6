"""What a range test suggests, on curves whose answers are known, and how a first rate is classed."""

import math

import numpy as np
import pytest
from batchlab.initial_rate import classify
from batchlab.range_test import (
    RULES,
    agreement,
    bounds,
    minimum,
    over_seeds,
    range_test,
    slide,
    smooth,
    steepest,
    steepest_step,
    valley,
)  # fmt: skip

RATES = 1e-7 * 1e8 ** (np.arange(100) / 99)


def u_curve(rates: np.ndarray) -> np.ndarray:
    """A loss that falls around 1e-3 and explodes near 1."""
    x = np.log10(rates)
    return 2.3 - 2 / (1 + np.exp(-3 * (x + 3))) + np.exp(4 * x)


def test_smoothing_is_the_weighted_mean_of_the_past() -> None:
    losses = np.array([3.0, 1.0, 2.0])
    weights = [[1.0], [0.98, 1.0], [0.98**2, 0.98, 1.0]]
    expected = [np.dot(w, losses[: len(w)]) / sum(w) for w in weights]
    assert smooth(losses) == pytest.approx(expected)
    assert smooth(np.full(50, 2.5)) == pytest.approx(np.full(50, 2.5))


def test_each_rule_on_a_curve_without_noise() -> None:
    losses = u_curve(RATES)
    lowest = RATES[np.argmin(losses)]
    assert minimum(RATES, losses) == pytest.approx(lowest / 10)
    assert steepest(RATES, losses) == pytest.approx(1e-3, rel=0.25)
    assert steepest_step(RATES, losses) == pytest.approx(1e-3, rel=0.25)
    found = valley(RATES, losses)
    end = int(np.argmin(losses))  # all before it fall: the stretch has end + 1 losses
    assert found == RATES[-1 + int((end + 1) / 3) + int((end + 1) / 6)]


def test_slide_stops_where_the_slope_no_longer_changes() -> None:
    losses = np.concatenate([np.linspace(2.0, 1.0, 60), np.linspace(1.0, 5.0, 40) ** 2])
    found = slide(RATES, losses)
    assert found is not None
    assert found < RATES[60]
    assert slide(RATES[:10], losses[:10]) is None


def test_a_curve_that_never_falls_has_no_steepest_rate() -> None:
    rising = np.linspace(1.0, 2.0, 100)
    assert (steepest(RATES, rising), steepest_step(RATES, rising), valley(RATES, rising)) == (None, None, None)


def test_the_test_ends_where_the_loss_explodes_or_is_not_finite() -> None:
    losses = u_curve(RATES)
    losses[95:] = math.nan
    found = range_test(RATES, losses)
    assert len(found.rates) == len(found.smoothed) <= 95
    assert found.smoothed[-1] <= 4 * found.smoothed.min()
    assert found.suggestions.keys() <= RULES.keys() and len(found.suggestions) >= 4
    assert found.spread is not None and 1 < found.spread < 1e4


def test_a_run_that_fails_at_once_suggests_nothing() -> None:
    assert range_test(RATES, np.full(100, math.nan)).suggestions == {}
    assert range_test(RATES[:15], u_curve(RATES[:15])).suggestions == {}


def test_scaling_the_loss_leaves_the_suggestions_where_they_are() -> None:
    losses = u_curve(RATES)
    for rule in (minimum, steepest, steepest_step, valley):
        assert rule(RATES, 3 * losses) == rule(RATES, losses)


def test_the_bounds_of_a_cycle_are_the_peak_and_a_third_of_it() -> None:
    assert bounds(np.array([0.1, 0.3, 0.9]), np.array([0.5, 0.9, math.nan])) == (pytest.approx(0.1), 0.3)
    assert bounds(np.array([0.1]), np.array([math.nan])) is None


def test_over_seeds_the_median_counts() -> None:
    tests = [range_test(RATES, u_curve(RATES * factor)) for factor in (0.5, 1.0, 8.0)]
    found = over_seeds(tests)
    assert found["steepest"] == tests[1].suggestions["steepest"]
    assert agreement({"a": 0.1, "b": 10.0}) == pytest.approx(2.0)
    assert agreement({"a": 0.1}) is None


def test_a_first_rate_is_classed_by_its_training_loss() -> None:
    slow = np.linspace(2.3, 2.2, 11)
    good = 2.3 * 0.5 ** np.arange(11.0)
    plateau = np.array([2.3, *[1.0, 0.9, 1.1, 0.95, 1.0, 0.98, 1.02, 1.0, 0.99, 1.01]])
    exploded = np.array([2.3, 50.0, 1e6])
    lost = np.array([2.3, 3.0, math.inf])
    assert classify([slow, good, plateau, exploded, lost]) == ["slow", "good", "plateau", "divergence", "divergence"]
