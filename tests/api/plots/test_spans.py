"""Which x axes lines need, and batch sizes as a staircase."""

from typing import Any

import pytest
from batchlab_api.plots import sizes
from batchlab_api.plots.spans import span


@pytest.mark.parametrize(
    ("ends", "found"),
    [
        ({}, "shared"),
        ({"": [10, 12, 35]}, "shared"),
        ({"": [1, 20]}, "shared"),
        ({"": [1, 21]}, "log"),
        ({"": [0, 1, 2]}, "shared"),
        ({"a": [100], "b": [360]}, "shared"),
        ({"a": [100, 90], "b": [1000, 2000]}, "own"),
        ({"a": [1], "b": [1000]}, "own"),
        ({"a": [1, 30], "b": [1000]}, "log"),
    ],
)
def test_axes_are_shared_unless_a_line_would_be_a_stroke(ends: dict[str, list[float]], found: str) -> None:
    assert span(ends) == found


def stairs(mean: list[float], **fields: Any) -> dict[str, Any]:
    x = [float(i) for i in range(1, len(mean) + 1)]
    return {"x": x, "mean": mean, "max": mean, "lo": mean, "hi": mean, "exact": True, **fields}


@pytest.mark.parametrize(
    ("told", "x", "planned"),
    [
        ([320, 320, 158, 320, 320, 158], [1, 6], [320, 320]),
        ([3, 2, 3, 2], [1, 4], [3, 3]),
        ([16, 16, 14, 320, 320, 158], [1, 3, 4, 6], [16, 16, 320, 320]),
        ([7], [1], [7]),
    ],
)
def test_the_short_batch_of_an_epoch_is_no_step_of_the_plan(
    told: list[float], x: list[float], planned: list[float]
) -> None:
    found = sizes.planned(stairs(told))
    assert (found["x"], found["mean"]) == (x, planned)


def test_a_point_for_many_updates_has_the_largest_of_their_batches() -> None:
    found = sizes.planned(stairs([15.6, 15.6, 47.0, 79.1], max=[16, 16, 80, 80], exact=False))
    assert found["mean"] == [16, 16, 80, 80]


def test_sizes_in_which_seeds_differ_stay_their_mean() -> None:
    grown = stairs([16, 24, 20, 48], lo=[16, 12, 9, 30], hi=[16, 36, 31, 66])
    assert sizes.planned(grown) == grown


def test_points_are_fewer_where_there_are_many_series() -> None:
    assert [sizes.points(n) for n in (0, 1, 20, 100, 10**6)] == [5000, 5000, 5000, 1000, 40]
