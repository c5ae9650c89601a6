"""Made-up data are what they claim to be, and depend on nothing but what the spec says of them."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batchlab.datasets import Blobs, Curve, LinearRegression, Moons, Spirals, Teacher

KINDS: list[Any] = [Blobs, Moons, Spirals, Teacher, LinearRegression, Curve]
every = pytest.mark.parametrize("kind", KINDS)


@every
def test_it_is_as_large_as_it_says(kind: Any) -> None:
    dataset = kind(rows=70, test_rows=30)
    info, data = dataset.info(), dataset.load(Path())
    assert (info.rows, info.test_rows) == (70, 30)
    assert (data.x.shape, data.y.shape) == ((70, *info.shape), (70,))
    assert (data.x_test.shape, data.y_test.shape) == ((30, *info.shape), (30,))
    assert data.x.dtype == np.float32
    assert data.y.dtype == (np.float32 if info.classes is None else np.int64)
    if info.classes is not None:
        assert set(data.y.tolist()) == set(range(info.classes))


@every
def test_equal_seeds_give_equal_bits_and_others_do_not(kind: Any) -> None:
    first, again, other = (kind(rows=50, data_seed=seed).load(Path()).sha256() for seed in (3, 3, 4))
    assert first == again != other


@every
def test_more_rows_begin_with_the_fewer(kind: Any) -> None:
    few, many = kind(rows=40).load(Path()), kind(rows=60, test_rows=5).load(Path())
    assert np.array_equal(many.x[:40], few.x)
    assert np.array_equal(many.y[:40], few.y)


def test_blobs_lie_around_their_centres() -> None:
    data = Blobs(rows=6000, classes=3, features=2, spread=0.5).load(Path())
    for label in range(3):
        cloud = data.x[data.y == label]
        assert len(cloud) == 2000
        np.testing.assert_allclose(cloud.std(0), 0.5, rtol=0.05)
        assert np.abs(cloud.mean(0)).max() < 10.1


def test_moons_without_noise_are_two_half_circles() -> None:
    data = Moons(rows=500, noise=0.0).load(Path())
    upper, lower = data.x[data.y == 0], data.x[data.y == 1]
    np.testing.assert_allclose(np.hypot(*upper.T), 1, rtol=1e-5)
    np.testing.assert_allclose(np.hypot(lower[:, 0] - 1, lower[:, 1] - 0.5), 1, rtol=1e-5)
    assert upper[:, 1].min() >= 0 and lower[:, 1].max() <= 0.5


def test_spirals_turn_as_often_as_they_say() -> None:
    data = Spirals(rows=900, classes=3, turns=2.0, noise=0.0).load(Path())
    radius = np.hypot(*data.x.T).astype(np.float64)
    angle = np.arctan2(data.x[:, 1], data.x[:, 0]).astype(np.float64)
    expected = 2 * math.pi * (2.0 * radius + data.y / 3)
    np.testing.assert_allclose(np.cos(angle - expected), 1, atol=1e-4)


def test_a_teachers_labels_are_its_outputs() -> None:
    """The network written out again, from the same draws."""
    from batchlab.streams import generator

    dataset = Teacher(rows=300, features=5, width=4, classes=3, data_seed=7)
    x, first, second = (
        generator(7, "data", i).standard_normal(shape) for i, shape in enumerate(((300, 5), (5, 4), (4, 3)))
    )
    outputs = np.tanh(x @ first / math.sqrt(5)) @ second / 2
    assert dataset.load(Path()).y.tolist() == outputs.argmax(1).tolist()


def test_linear_regression_is_solved_by_least_squares() -> None:
    dataset = LinearRegression(rows=4000, features=6, noise=0.3, condition=100.0)
    data = dataset.load(Path())
    x, y = data.x.astype(np.float64), data.y.astype(np.float64)
    solution, *_ = np.linalg.lstsq(x, y)
    assert (y - x @ solution).std() == pytest.approx(0.3, rel=0.05)
    assert x[:, 0].var() / x[:, -1].var() == pytest.approx(100, rel=0.15)


@pytest.mark.parametrize(("function", "expected"), [("line", lambda x: x), ("sine", lambda x: np.sin(np.pi * x)),
                                                    ("step", np.sign)])  # fmt: skip
def test_a_curve_without_noise_is_its_function(function: Any, expected: Any) -> None:
    data = Curve(rows=200, function=function, noise=0.0).load(Path())
    assert (np.abs(data.x) <= 1).all()
    np.testing.assert_allclose(data.y, expected(data.x[:, 0].astype(np.float64)), atol=1e-6)
