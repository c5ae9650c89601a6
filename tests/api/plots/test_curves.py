"""Numbers over training."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from batchlab_api.plots import PLOTS, Options
from batchlab_api.plots import curves as module
from batchlab_api.plots.curves import Curves, drawable

Make = Callable[..., Any]


def numbers(name: str, source: Any) -> Curves:
    found: Curves = PLOTS[name].numbers(source)
    return found


def test_the_band_of_the_loss_is_its_extremes(source: Make) -> None:
    curve = numbers("loss-curves", source()).curves[0]
    assert curve.low.tolist() == [0.5, 0.25, 0.125, 0.0625]
    assert curve.high.tolist() == [2.0, 1.0, 0.5, 0.25]


def test_the_band_of_the_validation_loss_is_the_t_interval(source: Make) -> None:
    found = numbers("val-loss-curves", source())
    assert found.curves[0].low == pytest.approx(0.9 * found.curves[0].mean)
    assert "3 seeds: mean and 95 % t interval as a band" in found.lines


def test_the_curves_in_the_background_are_explained(source: Make, series: Make) -> None:
    assert "grey: the other batch sizes" in numbers("loss-curves", source()).lines
    assert "grey: the other batch sizes" not in numbers("loss-curves", source(series=[series()])).lines


def test_two_seeds_have_no_interval(source: Make, series: Make) -> None:
    found = numbers("val-loss-curves", source(series=[series(metric="val_loss", seeds=2)]))
    assert found.curves[0].low.tolist() == found.curves[0].mean.tolist()
    assert "2 seeds: mean (too few for an interval)" in found.lines


def test_one_seed_needs_neither_counts_nor_interval(source: Make, series: Make) -> None:
    one = series(metric="val_loss", n=None, lo=None, hi=None)
    assert numbers("val-loss-curves", source(series=[one])).curves[0].n == 1


def test_points_at_or_below_zero_are_dropped_and_counted(source: Make, series: Make) -> None:
    found = numbers("loss-curves", source(series=[series(mean=[1.0, 0.0, 0.5, None])]))
    assert found.curves[0].x.tolist() == [1.0, 3.0]
    assert "1 point at or below zero not shown on the log axis" in found.lines


def test_a_band_that_reaches_far_down_is_cut_and_the_subtitle_says_where(source: Make, series: Make) -> None:
    found = numbers("loss-curves", source(series=[series(min=[1e-12, 0.2, 0.2, 0.1])]))
    assert found.floor == pytest.approx(0.125 / module.FLOOR)
    assert any(line.endswith("cut at 0.0025") for line in found.lines)


def test_a_curve_without_any_number_is_left_out(source: Make, series: Make) -> None:
    nothing = series(batch_size=8, mean=[None] * 4)
    zero = series(batch_size=2, mean=[0.0] * 4)
    found = numbers("loss-curves", source(series=[series(), nothing, zero, series(batch_size=16, x=[], mean=[])]))
    assert [c.batch_size for c in found.curves] == [4]


def test_a_diverged_curve_keeps_its_step(source: Make, series: Make) -> None:
    plot = PLOTS["loss-curves"]
    found = plot.numbers(source(series=[series(diverged_at=812)]))
    assert plot.rows(found)[0]["diverged_at"] == 812


def test_many_batch_sizes_are_thinned_evenly_with_both_ends(source: Make, series: Make) -> None:
    found = numbers("loss-curves", source(series=[series(batch_size=b) for b in range(1, 41)]))
    assert len(found.batch_sizes) == module.MAX_PANELS
    assert (found.batch_sizes[0], found.batch_sizes[-1]) == (1, 40)
    assert {c.batch_size for c in found.curves} == set(found.batch_sizes)
    assert "16 of 40 batch sizes shown" in found.lines


def test_learning_rates_make_rows_beside_fewer_batch_sizes(source: Make, series: Make) -> None:
    every = [series(batch_size=b, lr=lr) for b in (1, 2, 4, 8, 16) for lr in (0.1, 0.5)]
    found = numbers("loss-curves", source(series=every))
    assert found.arms == ("lr 0.1", "lr 0.5")
    assert found.batch_sizes == (1, 2, 8, 16)
    assert len(found.curves) == 8


def test_arms_with_a_batch_size_each_are_panels_without_empty_places(source: Make, series: Make) -> None:
    sizes = {"small batch": 16, "large batch": 256, "LARS": 256, "LAMB": 256}
    plot = PLOTS["val-loss-curves"]
    found = plot.numbers(source(series=[series(b, "val_loss", variant=v) for v, b in sizes.items()]))
    assert found.sparse
    assert "grey: the other curves" in found.lines
    drawn = plot.chart(found, Options()).to_dict()
    panels = [
        (row["name"][0], row["row"], row["column"])
        for data in drawn["datasets"].values()
        for row in data
        if "name" in row
    ]
    assert panels == [("small batch", 0, 0), ("large batch", 0, 1), ("LARS", 0, 2), ("LAMB", 0, 3)]


def test_a_table_with_a_gap_stays_a_table(source: Make, series: Make) -> None:
    pairs = [(b, v) for v in ("a", "b") for b in (1, 4, 16) if (b, v) != (1, "b")]
    found = numbers("loss-curves", source(series=[series(b, variant=v) for b, v in pairs]))
    assert (found.sparse, found.arms, found.batch_sizes) == (False, ("a", "b"), (1, 4, 16))


def test_equal_updates_have_an_axis_of_epochs_for_each_batch_size(source: Make, series: Make) -> None:
    plot = PLOTS["loss-curves"]
    ends = {1: 0.2, 16: 3.0, 64: 12.0}
    found = plot.numbers(source(series=[series(b, x=[end / 4, end / 3, end / 2, end]) for b, end in ends.items()]))
    assert found.span == "own"
    assert not any(line.startswith("grey") for line in found.lines)
    assert plot.chart(found, Options()).to_dict()["resolve"]["scale"] == {"x": "independent"}


def test_the_more_series_the_fewer_points_are_asked_for(source: Make, cell: Make) -> None:
    few, many = source(), source([cell(b) for b in range(1, 1001)])
    numbers("loss-curves", few)
    numbers("loss-curves", many)
    assert few.asked == [(["loss"], module.MAX_POINTS, "epoch", "seed")]
    assert many.asked == [(["loss"], module.MIN_POINTS, "epoch", "seed")]


def test_the_summary_tells_first_and_last_of_the_outer_curves(source: Make) -> None:
    plot = PLOTS["grad-norm-curves"]
    assert plot.summary(plot.numbers(source())) == (
        "Gradient norm by batch size, 3 curves over 4 epochs: "
        "batch 1 goes from 1 to 0.125; batch 16 goes from 1 to 0.125."
    )


def test_the_rows_hold_a_line_a_curve(source: Make) -> None:
    plot = PLOTS["loss-curves"]
    assert plot.rows(plot.numbers(source()))[1] == {
        "batch_size": 4, "line": "", "n": 3, "first": 1.0, "last": 0.125, "lowest": 0.0625, "highest": 2.0,
        "epochs": 4.0, "diverged_at": None,
    }  # fmt: skip


def test_no_curve_yet_is_nothing_to_show(source: Make) -> None:
    plot = PLOTS["loss-curves"]
    found = plot.numbers(source(series=[]))
    assert plot.rows(found) == []
    assert plot.summary(found) == "Training loss by batch size: nothing to show."


def test_arrays_are_as_long_as_each_other(source: Make, series: Make) -> None:
    for curve in numbers("loss-curves", source(series=[series(mean=[1.0, -1.0, None, 2.0])])).curves:
        assert {len(a) for a in (curve.x, curve.mean, curve.low, curve.high)} == {2}
        assert np.isfinite(curve.mean).all()


def test_the_last_update_of_a_thinned_series_is_no_point_of_the_line() -> None:
    thinned = {"x": [1.0, 2.0, 3.0, 3.1], "exact": False}
    assert drawable(thinned) == slice(None, -1)
    assert drawable({**thinned, "exact": True}) == slice(None, None)
