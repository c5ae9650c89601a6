"""Means with Student's intervals."""

import doctest

import numpy as np
import pytest
from batchlab import statistics
from batchlab.statistics import Summary, summary
from scipy import stats


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


def test_the_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(statistics, optionflags=doctest.ELLIPSIS).failed == 0
