"""The plots of rates and growing batches: numbers that a test can compute beside them."""

from typing import Any

import numpy as np
import pytest
from batchlab_api.plots.apart import WeightsApart
from batchlab_api.plots.first_rates import FirstRates
from batchlab_api.plots.matched import MatchedRates
from batchlab_api.plots.noise import PlannedNoise
from batchlab_api.plots.options import Options
from batchlab_api.plots.range_test import PEAK, RangeTestPlot
from batchlab_api.plots.shapes import RateCurves

from tests.api.plots.conftest import InMemorySource, make_cell

BASE = {"lr": {"rule": "fixed", "base": 0.1}, "batch_sizes": [20], "budget": {"epochs": 10}}


def series(metric: str, mean: Any, x: Any = None, **fields: Any) -> dict[str, Any]:
    values = np.asarray(mean, dtype=np.float64)
    at = np.arange(1, len(values) + 1) if x is None else x
    point = {"variant": None, "batch_size": 20, "lr": 0.1, "momentum": 0.0, "params": {}, "seed": 0, "cell": "1"}
    kept = {"x": list(map(float, at)), "mean": values.tolist(), "exact": True, "diverged_at": None}
    return point | {"metric": metric} | kept | fields


def test_equal_noise_is_drawn_as_equal_lines_with_the_updates_of_each_arm() -> None:
    falling = {"kind": "multistep", "milestones": [0.5], "gamma": 0.2}
    variants = [
        {"name": "decay", "schedule": falling},
        {"name": "grow", "batch_schedule": {"kind": "instead_of_decay", "schedule": falling}},
    ]
    source = InMemorySource([], [], **BASE, variants=variants)
    plot = PlannedNoise()
    assert plot.applies(source.experiment)
    numbers = plot.numbers(source)
    decay, grow = numbers.drawn
    assert set(decay.mean.round(12)) == set(grow.mean.round(12)) == {0.005, 0.001}
    assert any("decay 400 updates" in line and "grow 240 updates (40% saved)" in line for line in numbers.lines)
    plot.chart(numbers, Options()).to_dict()
    assert not plot.applies(InMemorySource([], [], **BASE).experiment)


def test_a_range_test_marks_what_its_rules_say() -> None:
    rates = 1e-5 * 1e6 ** (np.arange(100) / 99)
    x = np.log10(rates)
    losses = 2.3 - 2 / (1 + np.exp(-3 * (x + 2))) + np.exp(4 * (x - 0.2))
    accuracies, at = [0.1, 0.9, 0.2], [10, 70, 100]
    read = [
        s
        for seed in range(3)
        for s in (
            series("loss", losses, seed=seed, cell=str(seed)),
            series("lr", rates, seed=seed, cell=str(seed)),
            series("val_accuracy", accuracies, at, seed=seed, cell=str(seed)),
        )
    ]
    source = InMemorySource([make_cell()], read, **BASE, schedule={"kind": "range_test", "end": 1e6})
    plot = RangeTestPlot()
    assert plot.applies(source.experiment)
    (course,) = (numbers := plot.numbers(source)).courses
    assert course.n == 3
    assert course.suggestions[PEAK] == pytest.approx(rates[69])
    assert 1e-3 < course.suggestions["steepest"] < 0.1
    assert {row["rule"] for row in plot.rows(numbers)} == course.suggestions.keys()
    plot.chart(numbers, Options()).to_dict()


def test_a_range_test_ends_where_its_loss_has_risen_and_counts_what_lies_beyond() -> None:
    rates = 1e-5 * 1e6 ** (np.arange(200) / 199)
    x = np.log10(rates)
    losses = 2.0 - 1 / (1 + np.exp(-3 * (x + 2))) + 3 / (1 + np.exp(-30 * (x + 0.5)))
    read = [series("loss", losses), series("lr", rates), series("val_accuracy", [0.1, 0.5, 0.9], [10, 70, 200])]
    plot = RangeTestPlot()
    numbers = plot.numbers(InMemorySource([make_cell()], read, **BASE, schedule={"kind": "range_test", "end": 1e6}))
    (course,) = numbers.courses
    assert np.all(course.losses[:-1] <= course.top) and course.losses[-1] > course.top
    beyond = {rule for rule, rate in course.suggestions.items() if rate > course.rates[-1]}
    assert PEAK in beyond
    noun = "suggestion" if len(beyond) == 1 else "suggestions"
    assert f"{len(beyond)} {noun} beyond the rise not shown" in numbers.lines
    drawn = plot.chart(numbers, Options()).to_dict()
    (values,) = drawn["datasets"].values()
    assert {d["rule"] for d in values if "rule" in d} == course.suggestions.keys() - beyond
    bottoms = [p["scale"]["domain"][0] for p in _encodings(drawn) if p.get("field") == "loss" and "scale" in p]
    assert min(bottoms) > 0.8


def _encodings(part: Any) -> list[dict[str, Any]]:
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return [*([part] if isinstance(part, dict) else []), *(found for one in inner for found in _encodings(one))]


def test_first_rates_are_named_by_their_class() -> None:
    curves = {0.001: [2.3, 2.29, 2.28], 0.1: [2.3, 0.5, 0.1], 9.0: [2.3, 40.0, 90.0]}
    read = [series("train_loss", mean, [0, 1, 2], lr=lr, cell=str(lr)) for lr, mean in curves.items()]
    source = InMemorySource([], read, **BASE | {"lr": {"rule": "list", "values": list(curves)}})
    source.experiment["metrics"] = {"train_loss": "nats"}
    plot = FirstRates()
    assert plot.applies(source.experiment)
    numbers = plot.numbers(source)
    assert numbers.colours == ("0.001: slow", "0.1: good", "9: divergence")
    assert numbers.drawn[-1].mean.tolist() == pytest.approx([2.3, 6.9])
    assert "mean over 1 seed, cut at 3 times the loss at the start" in numbers.lines
    plot.chart(numbers, Options()).to_dict()


def test_matched_rates_are_written_where_they_change() -> None:
    cells = [
        make_cell(size, seed, lr, variant=name)
        for name, rule in (("matched", lambda b: 0.1 * b), ("fixed", lambda b: 0.1))
        for size, lr in ((b, rule(b)) for b in (1, 4, 16))
        for seed in range(3)
    ]
    source = InMemorySource(cells, [], **BASE, variants=[{"name": "matched"}, {"name": "fixed"}])
    source.experiment["spec"]["batch_sizes"] = [1, 4, 16]
    plot = MatchedRates()
    assert plot.applies(source.experiment)
    numbers = plot.numbers(source)
    assert [(p.batch_size, p.lr) for p in numbers.points if p.line == "matched"] == [(1, 0.1), (4, 0.4), (16, 1.6)]
    drawn = plot.chart(numbers, Options()).to_dict()
    (values,) = drawn["datasets"].values()
    labels = [(d["line"], d["label"]) for d in values]
    assert [label for line, label in labels if line == "matched"] == ["0.1", "0.4", "1.6"]
    assert {label for line, label in labels if line == "fixed"} == {""}
    assert "numbers: the rates of matched" in numbers.lines


def test_rates_are_written_for_the_variant_that_lists_them() -> None:
    cells = [make_cell(b, s, 0.1 * b, variant=v) for v in ("linear", "by hand") for b in (1, 4) for s in range(3)]
    listed = {"lr": {"rule": "table", "base": None, "values": {"1": 0.1, "4": 0.4}}}
    variants = [{"name": "linear", "lr": {"rule": "linear", "base_batch": 1}}, {"name": "by hand", **listed}]
    source = InMemorySource(cells, [], **BASE, variants=variants)
    assert MatchedRates().numbers(source).told == "by hand"


def test_weights_are_compared_after_equal_rows() -> None:
    """The smallest batch goes 1 a row in one number; the other is 0.5 off from its second update on."""
    small = series("param/w", np.arange(0, 40, 4.0), batch_size=4)
    large = series("param/w", [0.0, 8.5, 16.5, 24.5, 32.5], batch_size=8, cell="2")
    source = InMemorySource([], [small, large], **BASE | {"batch_sizes": [4, 8]})
    source.experiment["metrics"] = {"param/w": "1"}
    plot = WeightsApart()
    assert plot.applies(source.experiment)
    (line,) = (numbers := plot.numbers(source)).drawn
    assert line.colour == "batch 8"
    assert line.x.tolist() == [8.0, 16.0, 24.0, 32.0]
    assert line.mean == pytest.approx(np.full(4, 0.5))
    plot.chart(numbers, Options()).to_dict()


def test_weights_are_compared_in_panels_in_the_order_of_the_spec() -> None:
    sizes = {8: [0.0, 8.5, 16.5], 4: [0.0, 4.0, 8.0, 12.0, 16.0]}
    read = [series("param/w", mean, batch_size=b, variant=v) for v in ("scaled", "fixed") for b, mean in sizes.items()]
    source = InMemorySource([], read, **BASE | {"batch_sizes": [4, 8]})
    source.experiment["metrics"] = {"param/w": "1"}
    assert WeightsApart().numbers(source).panels == ("scaled", "fixed")


def test_each_variant_has_its_rates_in_a_panel_of_its_own() -> None:
    variants = [
        {"name": "constant"},
        {"name": "halved", "schedule": {"kind": "multistep", "milestones": [0.5], "gamma": 0.5}},
    ]
    source = InMemorySource([], [], **BASE, variants=variants)
    plot = RateCurves()
    assert plot.applies(source.experiment)
    numbers = plot.numbers(source)
    assert [(row["variant"], row["first"], row["last"]) for row in plot.rows(numbers)] == [
        ("constant", 0.1, 0.1), ("halved", 0.1, 0.05)
    ]  # fmt: skip
    plot.chart(numbers, Options()).to_dict()
