"""Curves: what is written in any cuts is read back, exactly or in buckets, as brute force over all values says."""

from collections.abc import Iterator

import numpy as np
from batchlab_db import curves, raw
from batchlab_db.curves import FOREVER, Curve, Wanted
from beds import NO_STEPS, Bed, cuts, evaluations, noise, updates
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

SHARED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def brute(steps: np.ndarray, values: np.ndarray, points: int) -> Iterator[tuple[int, float, float, float]]:
    """The points of a curve, from all values in the range: step, mean, min, max. (More than three values.)"""
    points = max(points, 3)
    level = 1
    while min(len(steps), (steps[-1] >> 3 * level) - (steps[0] >> 3 * level) + 1) + 2 > points:
        level += 1
    yield point(steps[:1], values[:1])
    buckets = steps >> 3 * level
    for bucket in np.unique(buckets):
        inside = buckets == bucket
        shown = steps[inside & (steps != steps[-1])]
        if len(shown) and not np.array_equal(shown, steps[:1]):
            yield int(shown[-1]), *point(steps[inside], values[inside])[1:]
    yield point(steps[-1:], values[-1:])


def point(steps: np.ndarray, values: np.ndarray) -> tuple[int, float, float, float]:
    finite = values[np.isfinite(values)].astype(np.float64)
    if not len(finite):
        return int(steps[-1]), np.nan, np.nan, np.nan
    return int(steps[-1]), finite.mean(), finite.min(), finite.max()


def check(curve: Curve, steps: np.ndarray, values: np.ndarray, points: int) -> None:
    """That the curve is what brute force makes of the values in its range."""
    assert curve.n_raw == len(steps)
    assert len(curve.steps) <= max(points, 3)
    if len(steps) <= max(points, 3):
        assert curve.exact
        np.testing.assert_array_equal(curve.steps, steps)
        for column in (curve.mean, curve.min, curve.max):
            np.testing.assert_array_equal(column.view(np.uint32), values.view(np.uint32))
        return
    assert not curve.exact
    at, mean, least, greatest = (np.array(column) for column in zip(*brute(steps, values, points), strict=True))
    np.testing.assert_array_equal(curve.steps, at)
    np.testing.assert_array_equal(curve.min, least)
    np.testing.assert_array_equal(curve.max, greatest)
    scale = np.abs(values[np.isfinite(values)]).max(initial=1e-30)
    np.testing.assert_allclose(curve.mean, mean, rtol=1e-5, atol=1e-6 * scale)


@SHARED
@given(st.data())
def test_any_range_of_updates_in_any_cuts_is_read_as_brute_force_says(bed: Bed, data: st.DataObject) -> None:
    bed.clear()
    n = data.draw(st.one_of(st.integers(1, 40), st.integers(1, 5000)), "n")
    first = data.draw(st.sampled_from([1, 0, 7, 510, 10**9]), "first")
    values = noise(data.draw(st.integers(0, 10**6), "seed"), n, data.draw(st.sampled_from([0.0, 0.01, 0.9])))
    bed.write(*(updates(first + cut.start, values[cut]) for cut in cuts(data, n)))
    steps = first + np.arange(n)
    low = data.draw(st.integers(first - 3, first + n + 2), "low")
    high = data.draw(st.one_of(st.just(FOREVER), st.integers(low, first + n + 2)), "high")
    points = data.draw(st.integers(2, 300), "points")
    inside = (steps >= low) & (steps <= high)
    check(bed.read("loss", low, high, points), steps[inside], values[inside], points)


@SHARED
@given(st.data())
def test_any_range_of_evaluations_is_read_as_brute_force_says(bed: Bed, data: st.DataObject) -> None:
    bed.clear()
    every = data.draw(st.sampled_from([1, 2, 80, 1000]), "every")
    n = data.draw(st.integers(2, 2000), "n")
    steps = np.append(every * np.arange(n), every * (n - 1) + data.draw(st.integers(1, every)))
    values = noise(data.draw(st.integers(0, 10**6), "seed"), len(steps), 0.01)
    bed.write(*(evaluations(steps[cut], values[cut]) for cut in cuts(data, len(steps))))
    low = data.draw(st.integers(0, int(steps[-1])), "low")
    high = data.draw(st.one_of(st.just(FOREVER), st.integers(low, int(steps[-1]))), "high")
    points = data.draw(st.integers(3, 300), "points")
    inside = (steps >= low) & (steps <= high)
    check(bed.read("val_loss", low, high, points), steps[inside], values[inside], points)


@SHARED
@given(st.lists(st.integers(0, 400), unique=True, min_size=1, max_size=60).map(sorted), st.integers(3, 30))
@example(sorted([0, 1, 3, 7, 8, 9, 100]), 3)
def test_evaluations_at_odd_steps_keep_their_steps(bed: Bed, steps: list[int], points: int) -> None:
    bed.clear()
    values = np.arange(len(steps), dtype=np.float32)
    bed.write(evaluations(steps, values))
    check(bed.read("val_loss", points=points), np.array(steps), values, points)


def test_a_spike_of_one_update_in_a_hundred_thousand_is_seen_at_every_width(bed: Bed) -> None:
    values = np.zeros(100_000, dtype=np.float32)
    values[77_777] = 1e30
    values[3] = -1e30
    bed.write(updates(1, values))
    for points in (3, 10, 100, 5000):
        curve = bed.read(points=points)
        assert (curve.max.max(), curve.min.min()) == (np.float32(1e30), np.float32(-1e30))
        assert (curve.steps[0], curve.steps[-1]) == (1, 100_000)


def test_first_and_last_values_of_a_thinned_range_are_exact(bed: Bed) -> None:
    values = noise(0, 50_000, 0.0)
    bed.write(updates(1, values))
    curve = bed.read(first=101, last=40_001, points=50)
    assert (curve.steps[0], curve.steps[-1]) == (101, 40_001)
    for column in (curve.mean, curve.min, curve.max):
        assert (column[0], column[-1]) == (values[100], values[40_000])


def test_a_bucket_stands_at_its_last_step(bed: Bed) -> None:
    bed.write(updates(1, np.arange(1, 1001)))
    curve = bed.read(points=130)
    assert curve.level == 1
    np.testing.assert_array_equal(curve.steps, [1, *range(7, 1000, 8), 1000])
    assert curve.mean[1] == np.arange(1, 8).mean()
    assert curve.mean[2] == np.arange(8, 16).mean()


def test_nothing_stored_is_an_empty_curve(bed: Bed) -> None:
    curve = bed.read()
    assert (len(curve.steps), curve.n_raw, curve.exact) == (0, 0, True)
    bed.write(updates(1, [1, 2, 3]))
    assert len(bed.read(first=4).steps) == 0
    assert len(bed.read("unknown").steps) == 0


def test_cells_read_alike_share_their_buckets(bed: Bed) -> None:
    values = {cell: noise(cell, n, 0.0) for cell, n in zip(bed.cells, (5000, 300, 1), strict=True)}
    for cell, measured in values.items():
        bed.write(updates(1, measured), cell=cell)
    with bed.engine.connect() as connection:
        found = curves.read_alike(connection, [Wanted(cell, "loss") for cell in (*bed.cells, -1)], 100)
    assert [curve.level for curve in found[:3]] == [2, 2, 2]
    assert [curve.n_raw for curve in found] == [5000, 300, 1, 0]
    assert found[0].steps[[0, 1, -2, -1]].tolist() == [1, 63, 4999, 5000]
    assert found[1].steps.tolist() == [1, 63, 127, 191, 255, 319]  # the bucket of 256 to 319, though 300 is its last
    assert found[1].max[-1] == values[bed.cells[1]][255:].max()
    assert found[2].steps.tolist() == [1]


def test_short_cells_are_read_alike_step_by_step(bed: Bed) -> None:
    bed.write(updates(1, [1, 2, 3]))
    bed.write(updates(1, [4, 5]), cell=bed.cells[1])
    with bed.engine.connect() as connection:
        found = curves.read_alike(connection, [Wanted(cell, "loss") for cell in bed.cells])
    assert [curve.mean.tolist() for curve in found] == [[1, 2, 3], [4, 5], []]


def test_since_returns_what_came_after_each_cursor_and_nothing_else(bed: Bed) -> None:
    first, second, third = bed.cells
    bed.write(updates(1, [1, 2, 3]), updates(4, [4, 5]), evaluations([0, 4], [9, 8]))
    bed.write(updates(1, [1, 2]), cell=second)
    with bed.engine.connect() as connection:
        found = curves.since(connection, {first: (3, 5), second: (2, 2), third: (-1, 0)}, ["loss", "val_loss"])
        assert {key: curve.steps.tolist() for key, curve in found.items()} == {
            (first, "loss"): [4, 5],
            (first, "val_loss"): [4],
        }
        everything = curves.since(connection, {first: (-1, 5)}, ["val_loss"])
        assert everything[first, "val_loss"].steps.tolist() == [0, 4]


def test_what_is_stored_after_a_pulse_is_told_once_with_the_next(bed: Bed) -> None:
    bed.write(updates(1, [1, 2, 3]), updates(4, [4, 5]))
    with bed.engine.connect() as connection:
        told = [
            curves.since(connection, {bed.cell: span}, ["loss"])[bed.cell, "loss"].steps.tolist()
            for span in ((-1, 3), (3, 5))
        ]
    assert told == [[1, 2, 3], [4, 5]]


def test_since_is_bounded_in_points(bed: Bed) -> None:
    bed.write(updates(1, noise(3, 30_000, 0.0)))
    with bed.engine.connect() as connection:
        [curve] = curves.since(connection, {bed.cell: (99, 30_000)}, ["loss"], points=40).values()
    assert len(curve.steps) <= 40
    assert (curve.steps[0], curve.steps[-1], curve.n_raw) == (100, 30_000, 29_901)


@SHARED
@given(st.data())
def test_raw_values_come_back_in_order_whatever_the_cuts(bed: Bed, data: st.DataObject) -> None:
    bed.clear()
    values = noise(data.draw(st.integers(0, 10**6)), 600, 0.1)
    bed.write(*(updates(1 + cut.start, values[cut]) for cut in cuts(data, 600)))
    low, high = sorted(data.draw(st.tuples(st.integers(0, 610), st.integers(0, 610))))
    parts = list(raw.stretches(bed.engine, [bed.cell], ["loss"], first=low, last=high))
    steps = np.concatenate([NO_STEPS, *(part.steps for part in parts)])
    found = np.concatenate([np.empty(0, np.float32), *(part.values for part in parts)])
    expected = np.arange(max(low, 1), min(high, 600) + 1)
    np.testing.assert_array_equal(steps, expected)
    np.testing.assert_array_equal(found.view(np.uint32), values[expected - 1].view(np.uint32))


def test_raw_values_of_many_small_blocks_come_page_by_page(bed: Bed) -> None:
    blocks = [updates(1 + i, [float(i), -float(i)][:1], metric) for i in range(100) for metric in ("a", "loss")]
    bed.write(*blocks)
    bed.write(*blocks[:4], cell=bed.cells[1])
    found = list(raw.stretches(bed.engine, bed.cells))
    keys = [(part.cell_id, part.metric, int(part.steps[0])) for part in found]
    assert keys == sorted(keys)
    assert len(keys) == 204
    assert {key[1] for key in keys} == {"a", "loss"}


def test_a_thinned_read_does_not_touch_the_values_between_its_ends(bed: Bed) -> None:
    values = np.sin(np.arange(20_000))
    bed.write(*(updates(1 + start, values[start : start + 1000]) for start in range(0, 20_000, 1000)))
    before = bed.read(points=100)
    bed.bench.sql("UPDATE series_blocks SET data = '{0}' WHERE first > 1 AND last < 20000")
    np.testing.assert_array_equal(bed.read(points=100).max, before.max)
