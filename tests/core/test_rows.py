"""Which rows are trained on: subsets, wrong labels, and sets so small that their training rows validate them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batchlab.datasets import Arrays, Digits, Inline, Iris, Split, split
from batchlab.errors import SpecError
from batchlab.spec import parse_spec

SMALL: dict[str, Any] = {
    "model": {"kind": "mlp", "widths": [4]},
    "batch_sizes": ["full"],
    "lr": {"rule": "fixed", "base": 0.1},
    "budget": {"steps": 2},
}


@pytest.fixture(scope="module")
def iris() -> Arrays:
    return Iris().load(Path())


def rows(part: Any) -> set[tuple[float, ...]]:
    return set(map(tuple, part[0].tolist()))


def parts(iris: Arrays, seed: int = 0, **fields: Any) -> Split:
    return split(Iris(normalise="none", **fields), iris, seed)


def test_a_subset_has_as_many_training_rows_as_it_says(iris: Arrays) -> None:
    dataset = Iris(take=37)
    assert dataset.train_rows() == 37
    found = split(dataset, iris, 0)
    assert (len(found.train[0]), len(found.validation[0])) == (37, 30)


def test_a_subset_leaves_the_validation_rows_as_they_are(iris: Arrays) -> None:
    assert np.array_equal(parts(iris, take=10).validation[0], parts(iris).validation[0])


def test_a_larger_subset_holds_every_smaller_one(iris: Arrays) -> None:
    found = [rows(parts(iris, take=take).train) for take in (5, 20, 120)]
    assert found[0] < found[1] < found[2] == rows(parts(iris).train)


def test_a_subset_is_drawn_by_its_own_seed_whatever_the_cells(iris: Arrays) -> None:
    fixed = {"validation": "train", "take": 20}
    first, again, other = (parts(iris, seed, **fixed, data_seed=data) for seed, data in ((0, 1), (5, 1), (0, 2)))
    assert np.array_equal(first.train[0], again.train[0])
    assert rows(first.train) != rows(other.train)


def test_the_first_rows_can_be_asked_for(iris: Arrays) -> None:
    found = parts(iris, validation="train", take=4, take_from="first")
    assert np.array_equal(found.train[0], iris.x[:4])


def test_a_share_of_the_training_labels_is_wrong_and_no_other(iris: Arrays) -> None:
    right, noisy = parts(iris), parts(iris, label_noise=0.25)
    assert np.array_equal(noisy.train[0], right.train[0])
    assert (noisy.train[1] != right.train[1]).sum() == 30
    assert set(noisy.train[1].tolist()) == {0, 1, 2}
    assert np.array_equal(noisy.validation[1], right.validation[1])


def test_wrong_labels_are_drawn_evenly_from_the_other_classes() -> None:
    data = Digits().load(Path())
    right, wrong = split(Digits(), data, 0).train[1], split(Digits(label_noise=1.0), data, 0).train[1]
    shift = np.bincount((wrong - right) % 10, minlength=10)
    assert shift[0] == 0
    assert shift[1:].min() > 0.7 * shift[1:].mean()


def test_more_noise_keeps_the_wrong_labels_of_less(iris: Arrays) -> None:
    right = parts(iris).train[1]
    less, more = (np.flatnonzero(parts(iris, label_noise=rate).train[1] != right) for rate in (0.1, 0.3))
    assert set(less) < set(more)


def test_loaded_arrays_keep_their_labels(iris: Arrays) -> None:
    before = iris.y.copy()
    parts(iris, label_noise=0.5)
    assert np.array_equal(iris.y, before)


def test_the_training_rows_may_validate_themselves(iris: Arrays) -> None:
    found = parts(iris, validation="train")
    assert found.train is found.validation
    assert len(found.train[0]) == 150 == Iris(validation="train").train_rows()
    assert found.test is None


@pytest.mark.parametrize(
    ("dataset", "loc", "message"),
    [
        ({"kind": "iris", "take": 121}, ("dataset", "take"), "at most so many"),
        ({"kind": "iris", "validation": 0.001}, ("dataset", "validation"), "leaves no rows"),
        ({"kind": "iris", "validation": "test"}, ("dataset", "validation"), "no test part"),
        ({"kind": "iris", "validation": 150}, ("dataset", "validation"), "must leave training rows"),
        ({"kind": "diabetes", "label_noise": 0.1}, ("dataset", "label_noise"), "needs classes"),
        ({"kind": "inline", "x": [[1], [2]], "y": [1]}, ("dataset", "y"), "1 labels for 2 rows"),
        ({"kind": "inline", "x": [[1], [2, 3]], "y": [1, 2]}, ("dataset", "x", 1), "2 features"),
        ({"kind": "inline", "x": [[1], [2]], "y": [0, 2], "classes": 2}, ("dataset", "y", 1), "0 .. 1"),
        ({"kind": "inline", "x": [[1], [2]], "y": [0, 0.5], "classes": 2}, ("dataset", "y", 1), "no class"),
        ({"kind": "inline", "x": [[0] * 501] * 2, "y": [0, 1]}, ("dataset", "x"), "batchlab data add"),
        ({"kind": "inline", "x": [], "y": []}, ("dataset", "x"), "at least 1"),
        ({"kind": "blobs", "rows": 10**6, "features": 101}, ("dataset", "rows"), "over the limit"),
        ({"kind": "moons", "rows": 100, "validation": 100}, ("dataset", "validation"), "must leave training rows"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_does_not_fit_the_data_is_refused_with_its_path(dataset: Any, loc: Any, message: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse_spec({**SMALL, "dataset": dataset})
    assert [message in fault.msg for fault in refused.value.faults if fault.loc == loc] == [True]


def test_percentages_are_of_the_rows_that_are_taken() -> None:
    from batchlab.expand import expand

    spec = parse_spec({**SMALL, "dataset": {"kind": "iris", "take": 50}, "batch_sizes": ["10%", "full"]})
    assert [cell.batch_size for cell in expand(spec)] == [5, 50]


def test_rows_in_the_spec_are_trained_on_as_they_stand() -> None:
    dataset = Inline(x=((-2.0,), (0.0,), (2.0,)), y=(0.0, 0.0, 0.0))
    found = split(dataset, dataset.load(Path()), 3)
    assert found.train[0].ravel().tolist() == [-2.0, 0.0, 2.0]
    assert (found.train[0].dtype, found.train[1].dtype) == (np.float32, np.float32)
    labelled = Inline(x=((1.0, 2.0), (3.0, 4.0)), y=(0.0, 1.0), classes=2)
    assert labelled.load(Path()).y.tolist() == [0, 1] and labelled.load(Path()).y.dtype == np.int64


def test_a_cell_keeps_the_rows_of_its_spec() -> None:
    from batchlab.cell import Cell
    from batchlab.expand import expand

    document = {"kind": "inline", "x": [[1.5, 2], [3, 4]], "y": [0, 1], "classes": 2}
    (cell,) = expand(parse_spec({**SMALL, "dataset": document}))
    assert Cell.model_validate_json(cell.model_dump_json()).dataset == cell.dataset
    assert cell.dataset.x == ((1.5, 2.0), (3.0, 4.0))
