"""The noise of gradients against a Monte Carlo of known truth, and row by row."""

from typing import Any

import numpy as np
import pytest
import torch
from batchlab.analyses.base import Held, finish
from batchlab.analyses.noise import along, by_groups, from_blocks, from_pairs, per_example, row_gradients
from batchlab.analyses.problem import Problem
from batchlab.errors import DataError
from pydantic import ValidationError

D, LARGE, SMALL = 50, 64, 8


def draws(repetitions: int) -> Any:
    """Squared lengths of batch gradients where G = 0.2 in each of 50 coordinates and sigma = 1: |G|^2 = 2, S = 50."""
    rng = np.random.default_rng(7)
    pairs = []
    for _ in range(repetitions):
        g = 0.2 + rng.standard_normal((LARGE, D))
        groups = g.reshape(-1, SMALL, D).mean(1)
        pairs.append([np.square(groups).sum(1).mean(), np.square(g.mean(0)).sum()])
    return np.array(pairs)


def test_two_batches_give_the_known_noise_as_a_ratio_of_averages() -> None:
    pairs = draws(4000)
    found = from_pairs(pairs, SMALL, LARGE)
    assert abs(found.scatter - 50) < 4 * found.scatter_error < 1
    assert abs(found.signal - 2) < 4 * found.signal_error < 0.1
    assert abs(found.scale - 25) < 4 * found.scale_error < 1
    assert found.certain
    scatter = (pairs[:, 0] - pairs[:, 1]) / (1 / SMALL - 1 / LARGE)
    signal = (LARGE * pairs[:, 1] - SMALL * pairs[:, 0]) / (LARGE - SMALL)
    assert np.mean(scatter / signal) > 25.5  # the mean of ratios is biased: 26.09 in the long run


def test_the_jackknife_error_is_the_scatter_of_repeated_estimates() -> None:
    runs = [from_pairs(pairs, SMALL, LARGE) for pairs in draws(4000).reshape(40, 100, 2)]
    spread = np.std([run.scale for run in runs], ddof=1)
    assert np.mean([run.scale_error for run in runs]) == pytest.approx(spread, rel=0.35)


def test_blocks_of_rows_give_the_known_noise() -> None:
    rng = np.random.default_rng(3)
    g = 0.2 + rng.standard_normal((8000, D))
    blocks = g.reshape(20, 400, D)
    sums, squares = blocks.sum(1), np.square(blocks).sum((1, 2))
    found = from_blocks(sums @ sums.T, squares, np.full(20, 400.0))
    assert found.scatter == pytest.approx(g.var(0, ddof=1).sum(), rel=1e-10)
    assert found.signal == pytest.approx(np.square(g.mean(0)).sum() - found.scatter / 8000, rel=1e-10)
    assert abs(found.scale - 25) < 4 * found.scale_error < 4


def test_groups_of_rows_give_the_noise_of_single_rows(subjects: Any) -> None:
    problem = Problem.of(subjects(dataset={"kind": "digits"})[0], precision="float64")
    exact = finish(per_example(problem, problem.weights, 20, Held({})))
    alone = by_groups(problem, problem.weights, 1, 20)
    assert (alone.scatter, alone.signal) == pytest.approx((exact.scatter, exact.signal), rel=1e-9)
    found = by_groups(problem, problem.weights, 8, 40)
    assert abs(found.scatter - exact.scatter) < 3 * found.scatter_error < 0.5 * exact.scatter
    assert abs(found.scale - exact.scale) < 3 * found.scale_error


def test_no_mean_gradient_is_not_called_certain() -> None:
    g = np.random.default_rng(3).standard_normal((400, D))
    sums, squares = g.reshape(20, 20, D).sum(1), np.square(g).reshape(20, -1).sum(1)
    assert not from_blocks(sums @ sums.T, squares, np.full(20, 20.0)).certain


def test_without_a_signal_there_is_no_scale_and_nothing_that_is_divided_by_it(subjects: Any, analyse: Any) -> None:
    found = from_pairs(np.array([[2.0, 0.1], [3.0, 0.1], [4.0, 0.3]]), SMALL, LARGE)
    assert found.signal < 0
    assert np.isnan([found.scale, found.scale_error]).all()
    none = from_pairs(np.zeros((3, 2)), SMALL, LARGE)
    assert np.isnan(none.scale)
    assert not none.certain
    small = {"kind": "gradient_noise", "method": "two_batches", "small": 1, "large": 2, "draws": 3}
    drawn = [analyse(subjects(), **small, seed=seed).values for seed in range(8)]
    assert {values["signal"] > 0 for values in drawn} == {True, False}
    for values in drawn:
        divided = [values[name] is not None for name in ("noise_scale", "snr", "norm_test", "cosine")]
        assert divided == [values["signal"] > 0] * 4


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_the_gradients_of_rows_are_those_taken_one_by_one(subjects: Any, norm: str) -> None:
    model = {"kind": "mlp", "widths": [6], "norm": {"kind": norm}}
    problem = Problem.of(subjects(model=model)[0], precision="float64", rows=20)
    found = row_gradients(problem, problem.weights, problem.table)
    problem.chunk = 1
    alone = [problem.gradient(problem.weights, part)[1] for part in problem.parts()]
    torch.testing.assert_close(found, torch.stack(alone), atol=1e-12, rtol=1e-9)
    direction = problem.random(0, "direction")
    np.testing.assert_allclose(along(problem, problem.weights, direction), found @ direction, rtol=1e-9, atol=1e-12)


def test_a_cells_noise_is_that_of_its_rows_gradients(subjects: Any, analyse: Any) -> None:
    (subject,) = subjects()
    finding = analyse([subject], kind="gradient_noise", precision="float64")
    problem = Problem.of(subject, precision="float64")
    g = row_gradients(problem, problem.weights, problem.table).numpy()
    scatter, mean = g.var(0, ddof=1).sum(), g.mean(0)
    signal = float(mean @ mean)  # all training rows: their mean is the gradient itself
    values = finding.values
    assert values["scatter"] == pytest.approx(scatter)
    assert values["noise_scale"] == pytest.approx(scatter / signal)
    assert values["norm_test"] == pytest.approx(np.sqrt(scatter / 32 / signal))
    assert values["snr"] == pytest.approx(1 / values["norm_test"])
    assert values["inner_product_test"] == pytest.approx(np.sqrt((g @ mean).var(ddof=1) / 32) / signal)
    assert values["cosine"] == pytest.approx(signal / (signal + scatter / 32))


def test_both_methods_agree_within_their_errors(subjects: Any, analyse: Any) -> None:
    given = subjects()
    rows = analyse(given, kind="gradient_noise")
    pairs = analyse(given, kind="gradient_noise", method="two_batches", small=2, large=30, draws=200)
    for name in ("scatter", "signal"):
        assert abs(rows.values[name] - pairs.values[name]) < 4 * pairs.meta["standard_error"][name]


def test_batches_that_do_not_divide_or_fit_are_refused(subjects: Any, analyse: Any) -> None:
    with pytest.raises(ValidationError, match="multiple of small"):
        analyse([], kind="gradient_noise", small=8, large=20)
    with pytest.raises(DataError, match="128 rows is more than the 120"):
        analyse(subjects(), kind="gradient_noise", method="two_batches")


@pytest.mark.parametrize("method", ["per_example", "two_batches"])
def test_noise_killed_after_every_piece_ends_with_the_same_bits(
    method: str, subjects: Any, analyse: Any, torn: Any, equal: Any
) -> None:
    given, document = subjects(), {"kind": "gradient_noise", "method": method, "large": 64}
    finding, pieces = torn(given, **document)
    assert pieces > 15
    assert equal(finding, analyse(given, **document))
