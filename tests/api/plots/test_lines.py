"""Curves over each other, rates as planned, and the two opposite trends of time."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from batchlab_api.plots import PLOTS, Options, saturation
from batchlab_api.plots.words import amount, duration

Make = Callable[..., Any]
PLAN: dict[str, Any] = {
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [80],
    "lr": {"rule": "fixed", "base": 0.5},
    "budget": {"epochs": 2},
    "variants": [{"name": "constant"}, {"name": "cosine", "schedule": {"kind": "cosine"}}],
}


def lines(name: str, source: Any) -> Any:
    return PLOTS[name].numbers(source)


def test_variants_are_lines_with_their_interval_on_the_asked_axis(source: Make, series: Make) -> None:
    from_two = source(series=[series(4, "val_loss", variant=v) for v in ("a", "b")])
    found = lines("val-loss-over-examples", from_two)
    assert from_two.asked[0][2:] == ("examples", "seed")
    assert (found.colours, found.panels, found.x) == (("a", "b"), ("",), "examples")
    assert [list(line.low) for line in found.drawn] == [pytest.approx([0.9, 0.45, 0.225, 0.1125])] * 2


def test_batch_sizes_are_an_ordered_colour_and_variants_beside_them_are_panels(source: Make, series: Make) -> None:
    every = [series(b, "val_loss", variant=v) for v in ("a", "b") for b in (64, 4)]
    found = lines("val-loss-over-epochs", source(series=every))
    assert (found.colours, found.panels, found.arms.ordered) == (("batch 4", "batch 64"), ("a", "b"), True)


def test_more_lines_than_can_be_told_apart_are_drawn_in_part_and_counted(source: Make, series: Make) -> None:
    found = lines("val-loss-over-epochs", source(series=[series(b, "val_loss") for b in range(1, 41)]))
    assert len(found.colours) == len(found.drawn) == 12
    assert "12 of 40 lines shown" in found.lines


def test_a_wide_range_takes_a_log_axis_that_counts_what_it_cannot_show(source: Make, series: Make) -> None:
    wide = series(4, "val_loss", mean=[100.0, 1.0, 0.0, 0.5], lo=[90.0, 0.0, 0.0, 0.1], hi=[110.0, 2.0, 0.1, 1.0])
    many = [wide | {"variant": str(i)} for i in range(2)]
    found = lines("val-loss-over-epochs", source(series=many))
    assert not found.log
    wide["mean"][2] = 0.2
    assert lines("val-loss-over-epochs", source(series=many)).log


def test_a_loss_takes_a_log_axis_sooner_than_other_numbers(source: Make, series: Make) -> None:
    fifteen = {"mean": [15.0, 4.0, 2.0, 1.0], "lo": [14.0, 3.0, 1.0, -1.0], "hi": [16.0, 5.0, 3.0, 3.0]}
    loss, norm = (source(series=[series(4, metric, **fifteen)]) for metric in ("val_loss", "grad_norm"))
    found = lines("val-loss-over-epochs", loss)
    assert (found.log, lines("grad-norm-over-epochs", norm).log) == (True, False)
    assert "bands that reach zero are cut" in found.lines


def test_ends_far_apart_take_a_log_axis_from_the_first_point_on(source: Make, series: Make) -> None:
    short = series(1, "val_loss", variant="one by one", x=[0.0, 0.1, 0.2, 0.3])
    long = series(64, "val_loss", variant="all at once", x=[0.0, 2.0, 4.0, 8.0])
    plot, made = PLOTS["val-loss-over-epochs"], source(series=[short, long])
    found = plot.numbers(made)
    assert (found.span, found.colours) == ("log", ("one by one", "all at once"))
    assert [line.x[0] for line in found.drawn] == [0.1, 2.0]
    assert "Epoch on a log axis, without the start at 0" in found.lines
    assert [0.1, 8.0] in _scales(plot.chart(found, Options()).to_dict(), "log")


def test_a_line_that_diverged_at_once_leaves_the_axis_of_the_others(source: Make, series: Make) -> None:
    at_once = series(4, "val_loss", variant="b", x=[0.0, 0.01, 0.02, 0.03], diverged_at=3)
    found = lines("val-loss-over-epochs", source(series=[series(4, "val_loss", variant="a"), at_once]))
    assert found.span == "shared"


def test_panels_that_end_far_apart_have_an_x_axis_each(source: Make, series: Make) -> None:
    ends = {"surface": 100.0, "network": 900.0}
    every = [
        series(b, "val_loss", variant=v, x=[0.0, end / 4, end / 2, end]) for v, end in ends.items() for b in (1, 4)
    ]
    plot, made = PLOTS["val-loss-over-updates"], source(series=every)
    found = plot.numbers(made)
    drawn = plot.chart(found, Options()).to_dict()
    assert found.span == "own"
    assert drawn["resolve"] == {"scale": {"x": "independent"}, "axis": {"x": "independent"}}


def test_more_names_than_can_be_told_apart_have_a_panel_each_over_the_others(source: Make, series: Make) -> None:
    names = [f"schedule {i}" for i in range(16)]
    plot = PLOTS["val-loss-over-epochs"]
    few, many = (
        plot.numbers(source(series=[series(4, "val_loss", variant=v) for v in some])) for some in (names[:6], names)
    )
    assert (few.single, few.colours, few.panels) == (False, tuple(names[:6]), ("",))
    assert (many.single, many.colours, many.panels) == (True, ("",), tuple(names))
    assert "grey: the other lines" in many.lines and not any("shown" in line for line in many.lines)
    assert [row["line"] for row in plot.rows(many)] == names
    drawn = plot.chart(many, Options()).to_dict()
    behind = [row["of"] for data in drawn["datasets"].values() for row in data if "of" in row] or [
        row["of"] for part in drawn["spec"]["layer"] for row in part.get("data", {}).get("values", [])
    ]
    assert behind == list(range(len(names)))


def test_batch_sizes_are_a_staircase_of_what_was_planned(source: Make, series: Make) -> None:
    comb = [320.0, 158.0, 320.0, 158.0]
    one = series(320, "batch_size", mean=comb, max=comb, lo=comb, hi=comb)
    made = source(series=[one])
    found = lines("batch-size-over-epochs", made)
    assert made.asked[0][1] == 5000
    assert (found.steps, found.drawn[0].mean.tolist()) == ("step-before", [320.0, 320.0])
    assert "without the short batch at the end of an epoch" in found.lines


def test_lines_that_diverged_are_seen_to_leave_a_log_axis(source: Make, series: Make) -> None:
    wide = series(4, "val_loss", variant="a", mean=[1.0, 0.1, 0.02, 0.01])
    wild = series(4, "val_loss", variant="b", mean=[1.0, 10.0, 1e20, 1e30], diverged_at=812)
    plot = PLOTS["val-loss-over-epochs"]
    drawn = plot.chart(plot.numbers(source(series=[wide, wild])), Options()).to_dict()
    assert 30 < max(_domains(drawn)) < 60


def _scales(part: Any, kind: str) -> list[list[float]]:
    if isinstance(part, dict):
        own = [part["domain"]] if part.get("type") == kind and "nice" in part else []
        return [*own, *(found for inner in part.values() for found in _scales(inner, kind))]
    return [found for inner in part for found in _scales(inner, kind)] if isinstance(part, list) else []


def test_a_diverged_line_does_not_set_the_scale(source: Make, series: Make) -> None:
    wild = series(4, "val_loss", variant="b", mean=[1.0, 10.0, 1e20, 1e30], diverged_at=812)
    plot = PLOTS["val-loss-over-epochs"]
    drawn = plot.chart(plot.numbers(source(series=[series(4, "val_loss", variant="a"), wild])), Options()).to_dict()
    assert max(_domains(drawn)) < 10


def _domains(part: Any) -> list[float]:
    if isinstance(part, dict):
        own = part["domain"] if part.get("type") in ("log", "linear") and "nice" in part else []
        return [*own, *(v for inner in part.values() for v in _domains(inner))]
    return [v for inner in part for v in _domains(inner)] if isinstance(part, list) else []


def test_planned_rates_need_no_training(source: Make) -> None:
    planned = source([], [])
    planned.experiment["spec"] = PLAN
    found = lines("lr-schedule", planned)
    assert planned.asked == []
    constant, cosine = found.drawn
    assert (constant.colour, cosine.colour) == ("constant", "cosine")
    assert list(constant.mean) == [0.5] * 20 and constant.x[-1] == pytest.approx(1.9)
    assert list(cosine.mean) == pytest.approx([0.25 * (1 + math.cos(math.pi * k / 20)) for k in range(20)])


def test_the_saturating_time_is_found_exactly() -> None:
    sizes = [1, 10, 100, 1000, 10_000]
    found = saturation.fit(sizes, [max(2e-4, b / 1e6) for b in sizes])
    assert (found.seconds, found.rate, found.knee) == pytest.approx((2e-4, 1e6, 200.0))
    assert found.spread == pytest.approx(0, abs=1e-12)
    assert found.at(400) == pytest.approx(4e-4)


@pytest.mark.parametrize(("power", "knee"), [(0.0, math.inf), (1.0, 0.0)])
def test_times_that_never_or_always_grow_have_their_knee_beyond_the_sizes(power: float, knee: float) -> None:
    sizes = [1, 10, 100]
    found = saturation.fit(sizes, [1e-3 * b**power for b in sizes])
    assert found.spread == pytest.approx(0, abs=1e-12)
    assert found.knee == knee or (1 if power else 100) == pytest.approx(found.knee)


def test_the_two_trends_are_drawn_side_by_side_with_their_fit(source: Make) -> None:
    plot = PLOTS["time-trends"]
    numbers = plot.numbers(source())
    assert any(line.startswith("dashed: t = max(") and "knee at batch" in line for line in numbers.lines)
    wide, narrow = (plot.chart(numbers, Options(width=w)).to_dict() for w in ("two-column", "one-column"))
    assert len(wide["hconcat"]) == len(narrow["vconcat"]) == 2
    assert len(plot.rows(numbers)) == 6
    assert "time per update" in plot.summary(numbers) and "time per epoch" in plot.summary(numbers)


def test_numbers_in_running_text_are_short() -> None:
    assert [amount(v) for v in (11503.6, 999.4, 0.07912)] == ["11 504", "999", "0.0791"]
    assert [duration(v) for v in (2.0, 3.63e-3, 8e-5, 2e-8)] == ["2 s", "3.63 ms", "80 µs", "0.02 µs"]


def test_a_line_along_the_edge_of_fractions_is_drawn_in_its_whole_width(source: Make, series: Make) -> None:
    high = {"mean": [0.0, 0.5, 1.0, 1.0], "lo": [-0.1, 0.4, 0.9, 0.9], "hi": [0.1, 0.6, 1.1, 1.1]}
    plot, made = PLOTS["val-accuracy-over-epochs"], source(series=[series(4, "val_accuracy", **high)])
    drawn = plot.chart(plot.numbers(made), Options()).to_dict()
    (datum,) = (row for data in drawn["datasets"].values() for row in data)
    assert (datum["low"], datum["high"]) == ([0.0, 0.4, 0.9, 0.9], [0.1, 0.6, 1.0, 1.0])
    for low, high_end in [d for d in _scales(drawn, "linear") if d[1] < 2]:
        assert -0.02 < low < 0 and 1 < high_end < 1.02
