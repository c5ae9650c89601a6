"""Means with Student's intervals, comparisons, corrections, trends and power, against scipy and statsmodels."""

import doctest
import math
from importlib import import_module

import numpy as np
import pytest
from batchlab.statistics import (
    Summary,
    compare,
    equivalence_power,
    holm,
    p_greater,
    power,
    rank_correlation,
    required_n,
    required_n_equal,
    slope,
    summary,
    tost,
    two_way,
)
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired


def test_a_single_value_has_no_spread() -> None:
    assert summary([3.0]) == Summary(1, 3.0, None, None)


def test_no_value_has_no_summary() -> None:
    with pytest.raises(ValueError, match="at least one"):
        summary([])


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_an_interval_equals_scipys(n: int) -> None:
    values = np.random.default_rng(n).normal(5, 2, n)
    found = summary(values.tolist())
    expected = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values))
    assert (found.n, found.sd) == (n, pytest.approx(values.std(ddof=1)))
    assert found.ci95 == pytest.approx(expected)


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert summary([2.0, 2.0, 2.0]) == Summary(3, 2.0, 0.0, (2.0, 2.0))


@pytest.mark.parametrize("name", ["means", "comparing", "correction", "power"])
def test_the_examples_in_the_documentation_hold(name: str) -> None:
    found = doctest.testmod(import_module(f"batchlab.statistics.{name}"), optionflags=doctest.ELLIPSIS)
    assert (found.failed, found.attempted > 0) == (0, True)


@pytest.mark.parametrize("n", [3, 5, 12])
def test_a_comparison_equals_scipys_paired_test(n: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.normal(1, 1, n), rng.normal(0.5, 1, n)
    found, expected = compare((a - b).tolist()), stats.ttest_rel(a, b)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.ci == pytest.approx(tuple(expected.confidence_interval()))
    assert found.d_z == pytest.approx(expected.statistic / math.sqrt(n))
    exact = math.exp(math.lgamma((n - 1) / 2) - math.lgamma((n - 2) / 2)) * math.sqrt(2 / (n - 1))
    assert found.hedges_g / found.d_z == pytest.approx(exact, rel=0.02 if n > 3 else 0.2)


@pytest.mark.parametrize("bound", [-1.0, 0.0, 0.4])
def test_a_one_sided_p_equals_scipys(bound: float) -> None:
    values = np.random.default_rng(1).normal(0.3, 1, 6)
    expected = stats.ttest_1samp(values, bound, alternative="greater").pvalue
    assert p_greater(values.tolist(), bound) == pytest.approx(expected)


def test_without_any_spread_the_mean_itself_decides() -> None:
    assert (p_greater([2.0] * 3, 1.0), p_greater([2.0] * 3, 2.0), p_greater([2.0] * 3, 3.0)) == (0.0, 1.0, 1.0)
    assert compare([2.0] * 3).d_z == math.inf
    assert (compare([0.0] * 3).d_z, compare([0.0] * 3).p) == (0.0, 1.0)


@pytest.mark.parametrize("margin", [0.2, 0.5, 2.0])
def test_equivalence_equals_statsmodels(margin: float) -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(0.1, 0.3, 8), rng.normal(0, 0.3, 8)
    assert tost((a - b).tolist(), margin) == pytest.approx(ttost_paired(a, b, -margin, margin)[0])


@pytest.mark.parametrize("p", [[0.01], [0.01, 0.04, 0.03], [0.5, 0.01, 0.01, 0.9, 0.02], [1.0, 0.0, 0.025]])
def test_holms_adjustment_equals_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1].tolist())


def test_holms_adjustment_of_known_values() -> None:
    """By hand: 4 x 0.005, 3 x 0.01, then 2 x 0.03 carried over 0.04."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@pytest.mark.parametrize("d", [0.3, 0.8, 2.0])
@pytest.mark.parametrize("n", [3, 10, 50])
def test_power_equals_statsmodels(d: float, n: int) -> None:
    assert power(d, n) == pytest.approx(TTestPower().power(d, n, 0.05), rel=1e-4)


@pytest.mark.parametrize("d", [0.3, 0.5, 0.8, 1.5, 3.0])
def test_the_number_of_seeds_is_statsmodels_rounded_up(d: float) -> None:
    assert required_n(d) == math.ceil(TTestPower().solve_power(d, power=0.8, alpha=0.05))


def test_a_vanishing_difference_asks_for_no_number_of_seeds() -> None:
    assert required_n(1e-6) is None
    assert required_n_equal(0.0) is None


def test_the_power_of_equivalence_is_what_simulation_shows() -> None:
    """2000 samples: a standard error of 0.011."""
    n, d = 8, 1.2
    samples = np.random.default_rng(5).normal(0, 1, (2000, n))
    half = stats.t.ppf(0.975, n - 1) * samples.std(1, ddof=1) / math.sqrt(n)
    within = (abs(samples.mean(1)) + half < d).mean()
    assert equivalence_power(d, n) == pytest.approx(within, abs=0.035)
    needed = required_n_equal(d)
    assert needed is not None
    assert equivalence_power(d, needed) >= 0.8 > equivalence_power(d, needed - 1)


def test_slopes_and_rank_correlations_equal_scipys() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.integers(0, 5, 12).astype(float), rng.integers(0, 5, 12).astype(float)
    assert slope(x, y) == pytest.approx(stats.linregress(x, y).slope)
    assert rank_correlation(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert rank_correlation([1, 2, 3], [4, 4, 4]) == 0.0


def test_a_table_is_split_into_what_its_axes_explain() -> None:
    """Row effects -1, 1 and column effects -2, 0, 2 without interaction: sums of squares 6 and 16."""
    found = two_way([[-3.0, -1.0, 1.0], [-1.0, 1.0, 3.0]])
    assert found is not None
    assert (found.rows, found.columns, found.interaction) == pytest.approx((6 / 22, 16 / 22, 0))
    assert two_way([[1.0, 1.0], [1.0, 1.0]]) is None
