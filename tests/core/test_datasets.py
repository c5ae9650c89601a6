"""The data sets are what they claim to be, and are split and normalised as the contract says."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batchlab.datasets import (
    Arrays,
    BreastCancer,
    Diabetes,
    Digits,
    FashionMnist,
    Iris,
    Kmnist,
    Mnist,
    Sectors,
    Wine,
    moments,
    split,
)
from batchlab.errors import DataError

BUNDLED = [Sectors, Digits, Iris, Wine, BreastCancer, Diabetes]
BOOK = "1834c43bbab4902e70a3a2f2735830b330038674fb518ebdad3969d885305c6f"


def test_sectors_are_the_textbooks_file_byte_for_byte(tmp_path: Path) -> None:
    data = Sectors().load(tmp_path)
    rows = "".join(f"{x:.2f} {y:.2f} {label:.2f}\n" for (x, y), label in zip(data.x, data.y, strict=True))
    assert hashlib.sha256(f"# x,y,label\n{rows}".encode()).hexdigest() == BOOK


def test_sectors_have_the_textbooks_class_sizes(tmp_path: Path) -> None:
    assert np.bincount(Sectors().load(tmp_path).y).tolist() == [417, 330, 253]


@pytest.mark.parametrize("kind", BUNDLED)
def test_bundled_data_are_as_their_facts_say(kind: Any, tmp_path: Path) -> None:
    data, facts = kind().load(tmp_path), kind.facts
    assert kind().available(tmp_path)
    assert data.x.shape == (facts.rows, *facts.shape)
    assert data.x.dtype == np.float32
    assert data.sha256() == facts.sha256
    if facts.classes is None:
        assert data.y.dtype == np.float32
    else:
        assert sorted(set(data.y.tolist())) == list(range(facts.classes))


def test_the_textbooks_split_is_800_and_200_rows_of_one_permutation(tmp_path: Path) -> None:
    data = Sectors().load(tmp_path)
    parts = split(Sectors(), data, 4)
    assert parts.train[0].shape == (800, 2)
    assert parts.validation[0].shape == (200, 2)
    together = np.concatenate([parts.train[0], parts.validation[0]])
    assert sorted(map(tuple, together.tolist())) == sorted(map(tuple, data.x.tolist()))
    assert parts.test is None


def test_the_split_follows_its_seed(tmp_path: Path) -> None:
    data = Iris().load(tmp_path)
    labels = [split(Iris(), data, seed).validation[1].tolist() for seed in (1, 1, 2)]
    assert labels[0] == labels[1] != labels[2]


@pytest.mark.parametrize(
    ("validation", "held_out"), [(None, 30), (0.1, 15), (0.33, 50), (7, 7), (0.0034, 1), (149, 149)]
)
def test_rows_are_held_out_by_fraction_or_number(validation: Any, held_out: int) -> None:
    dataset = Iris(validation=validation)
    assert dataset.held_out == held_out
    assert dataset.train_rows() == 150 - held_out


class Shipped(Iris):
    """A set with a test part."""

    facts = Iris.facts.__class__(10, 4, (2,), 3)


@pytest.fixture
def shipped() -> Arrays:
    rng = np.random.default_rng(0)
    x, x_test = rng.normal(5, 3, (10, 2)).astype(np.float32), rng.normal(5, 3, (4, 2)).astype(np.float32)
    return Arrays(x, np.arange(10) % 3, x_test, np.arange(4) % 3)


def test_a_test_part_validates_unless_the_spec_says_otherwise(shipped: Arrays) -> None:
    parts = split(Shipped(), shipped, 0)
    assert Shipped().train_rows() == 10
    assert (len(parts.train[0]), len(parts.validation[0])) == (10, 4)
    assert parts.test is None


def test_rows_held_out_of_a_set_with_a_test_part_leave_the_test_part_for_the_end(shipped: Arrays) -> None:
    parts = split(Shipped(validation=3), shipped, 0)
    assert [len(part[0]) for part in (parts.train, parts.validation)] == [7, 3]
    assert parts.test is not None
    assert parts.test[1].tolist() == [0, 1, 2, 0]


def test_features_are_scaled_by_the_training_rows_alone(shipped: Arrays) -> None:
    parts = split(Shipped(), shipped, 0)
    np.testing.assert_allclose(parts.train[0].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(parts.train[0].std(0), 1, atol=1e-6)
    expected = (shipped.x_test - shipped.x.mean(0)) / shipped.x.std(0)  # type: ignore[operator]
    np.testing.assert_allclose(parts.validation[0], expected, rtol=1e-5)


def test_data_that_is_not_normalised_stays_as_it_is(shipped: Arrays) -> None:
    assert np.array_equal(split(Shipped(normalise="none"), shipped, 0).train[0], shipped.x)


def test_pictures_are_scaled_per_channel_and_a_constant_one_is_only_centred() -> None:
    x = np.random.default_rng(1).uniform(0, 255, (5000, 3, 4, 4)).astype(np.float32)
    x[:, 2] = 7
    mean, sd = moments(x)
    np.testing.assert_allclose(mean.ravel(), x.mean((0, 2, 3), np.float64), rtol=1e-6)
    np.testing.assert_allclose(sd.ravel(), [*x[:, :2].std((0, 2, 3), dtype=np.float64), 1.0], rtol=1e-6)


@pytest.mark.parametrize("kind", [Mnist, FashionMnist, Kmnist])
def test_data_that_is_not_there_is_refused_with_the_remedy(kind: Any, tmp_path: Path) -> None:
    assert not kind().available(tmp_path)
    with pytest.raises(DataError, match=f"batchlab data fetch {kind.tag()}.*train-images-idx3-ubyte.gz"):
        kind().load(tmp_path)


def test_bundled_data_need_no_fetching(tmp_path: Path) -> None:
    Digits().fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []
