"""The arithmetic of curves: axes and their way back, and merging over seeds."""

import math

import numpy as np
import pytest
from batchlab.cell import Cell
from batchlab.expand import expand
from batchlab.spec import parse_spec
from batchlab.statistics import summary
from batchlab_api.axis import Axis, Clock, along, bounds
from batchlab_api.seeds import mean_axis, merge
from batchlab_db.curves import Curve
from hypothesis import given
from hypothesis import strategies as st


def cell(batch_size: int, steps: int, **changes: object) -> Cell:
    spec = {"dataset": {"kind": "sectors"}, "model": {"kind": "softmax"}, "batch_sizes": [batch_size],
            "lr": {"rule": "fixed", "base": 0.5}, "budget": {"steps": steps}}  # fmt: skip
    return expand(parse_spec(spec | changes))[0]


@given(st.integers(1, 800), st.integers(0, 5000))
def test_examples_are_those_that_the_cell_counts(batch_size: int, step: int) -> None:
    one = cell(batch_size, 5000)
    assert along("examples", one, np.array([step]), None)[0] == one.examples(step)
    assert along("epoch", one, np.array([step]), None)[0] == one.examples(step) / 800


@given(st.sampled_from(["step", "epoch", "examples", "seconds"]), st.floats(0, 20), st.floats(0, 20))
def test_bounds_hold_exactly_the_updates_within(x: Axis, low: float, high: float) -> None:
    one = cell(56, 200)
    clock = Clock.of(np.arange(1, 201), np.linspace(0.05, 0.2, 200))
    places = along(x, one, np.arange(201), clock)
    first, last = bounds(x, one, low, high, clock)
    inside = np.flatnonzero((places >= low) & (places <= high))
    assert list(range(first, last + 1)) == inside.tolist()


def test_an_epoch_is_all_rows_once_whatever_the_batch_size_does() -> None:
    one = cell(
        100, 24, batch_schedule={"kind": "steps", "milestones": [1.0, 2.0], "sizes": [200, 50], "unit": "epochs"}
    )
    assert along("epoch", one, np.array([0, 8, 12, 24]), None).tolist() == [0.0, 1.0, 2.0, 2.75]
    assert bounds("epoch", one, 1.0, 2.0, None) == (8, 12)


def test_where_batch_sizes_were_found_the_stored_ones_tell_the_rows() -> None:
    one = cell(100, 24, batch_schedule={"kind": "norm_test"})
    clock = Clock.of(np.arange(1, 7), np.array([100.0, 100.0, 200.0, 200.0, 200.0, 400.0]))
    assert along("examples", one, np.array([0, 2, 5, 6]), clock).tolist() == [0.0, 200.0, 800.0, 1200.0]
    assert along("epoch", one, np.array([5]), clock).tolist() == [1.0]


def test_without_bounds_everything_is_within() -> None:
    assert bounds("epoch", cell(4, 123), None, None, None) == (0, 123)


def test_a_clock_adds_up_what_thinned_step_times_say() -> None:
    exact = Clock.of(np.array([1, 2, 3]), np.array([0.5, 0.25, 0.25], dtype=np.float32))
    thinned = Clock.of(np.array([1, 8, 10]), np.array([0.5, 0.1, 0.2]))
    assert exact.totals.tolist() == [0.0, 0.5, 0.75, 1.0]
    assert thinned.totals[-1] == pytest.approx(0.5 + 7 * 0.1 + 2 * 0.2)


def test_time_before_any_was_measured_is_unknown() -> None:
    assert np.isnan(along("seconds", cell(4, 10), np.array([1]), None)).all()


def curve(steps: list[int], values: list[float]) -> Curve:
    made = np.array(values, dtype=np.float32)
    return Curve(np.array(steps), made, made - 1, made + 1, len(steps), 0)


def test_seeds_meet_at_equal_steps_and_each_point_says_how_many() -> None:
    merged = merge([curve([1, 2, 3], [1, 2, 3]), curve([2, 3], [4, math.nan]), curve([3, 9], [5, math.inf])])
    assert merged.steps.tolist() == [1, 2, 3, 9]
    assert merged.n.tolist() == [1, 2, 2, 0]
    assert merged.mean[:3].tolist() == [1, 3, 4] and np.isnan(merged.mean[3])
    assert merged.min[:3].tolist() == [0, 1, 2] and merged.max[:3].tolist() == [2, 5, 6]
    assert np.isnan(merged.lo[[0, 3]]).all() and np.isnan(merged.hi[[0, 3]]).all()


@given(st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=8))
def test_the_interval_is_students(values: list[float]) -> None:
    merged = merge([curve([7], [value]) for value in values])
    expected = summary([float(np.float32(value)) for value in values])
    assert expected.ci95 is not None
    assert (merged.mean[0], merged.lo[0], merged.hi[0]) == pytest.approx((expected.mean, *expected.ci95), abs=1e-9)


def test_a_seed_that_is_behind_says_nothing_about_the_time_of_later_steps() -> None:
    places = [np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0, 4.0])]
    assert mean_axis(places, np.array([1, 2, 3]), [3, 2]).tolist() == [2.0, 3.0, 3.0]
