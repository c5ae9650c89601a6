"""Charts: every plot, drawn from every kind of experiment, in every size and theme."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
from batchlab_api.plots import PLOTS, Options, available, render
from batchlab_api.plots.frame import spread

Make = Callable[..., Any]
NAMES = (
    "grad-norm-vs-batch",
    "best-val-loss-vs-batch",
    "accuracy-vs-batch",
    "seconds-per-update",
    "seconds-per-epoch",
    "loss-curves",
    "grad-norm-curves",
    "val-loss-curves",
)


def chart(name: str, source: Any, **options: Any) -> dict[str, Any]:
    plot = PLOTS[name]
    drawn: dict[str, Any] = plot.chart(plot.numbers(source), Options(**options)).to_dict()
    return drawn


def values(drawn: Any) -> list[dict[str, Any]]:
    """Every row of data of a chart."""
    return [row for data in drawn.get("datasets", {}).values() for row in data] + [
        row for part in walk(drawn) for row in (part.get("data") or {}).get("values", [])
    ]


def walk(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from walk(inner)


def titles(drawn: dict[str, Any]) -> set[str]:
    facet = drawn["facet"]
    return {facet["row"]["title"], facet["column"]["title"]}


def svg(name: str, source: Any, **options: Any) -> str:
    plot, asked = PLOTS[name], Options(**options)
    return render(plot.chart(plot.numbers(source), asked), "svg", asked)[0].decode()


def texts(drawn: str) -> list[str]:
    return [unescape(text) for text in re.findall(r">([^<>]+)</(?:text|tspan)>", drawn)]


def test_the_names_that_addresses_and_papers_hold_are_all_there() -> None:
    assert set(NAMES) <= set(PLOTS)


@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_says_what_it_is(name: str) -> None:
    plot = PLOTS[name]
    assert plot.name == name
    assert len(plot.title) > 10
    assert plot.description.endswith(".")


@pytest.mark.parametrize(("name", "y"), [
    ("grad-norm-vs-batch", "Mean gradient norm (dimensionless)"),
    ("best-val-loss-vs-batch", "Best validation loss (nats)"),
    ("accuracy-vs-batch", "Final accuracy (fraction)"),
    ("seconds-per-update", "Training time per update (µs)"),
    ("seconds-per-epoch", "Training time per epoch (ms)"),
])  # fmt: skip
def test_axes_say_what_and_in_which_unit(name: str, y: str, source: Make) -> None:
    assert titles(chart(name, source())) == {y, "Batch size (rows)"}


@pytest.mark.parametrize(("name", "y"), [
    ("loss-curves", "Batch loss (nats)"),
    ("grad-norm-curves", "Gradient norm (dimensionless)"),
    ("val-loss-curves", "Validation loss (nats)"),
])  # fmt: skip
def test_curves_are_over_epochs(name: str, y: str, source: Make) -> None:
    assert titles(chart(name, source())) == {y, "Epoch"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", ["one-column", "two-column"])
def test_a_picture_has_about_the_asked_width_and_says_what_it_shows(name: str, width: Any, source: Make) -> None:
    drawn = svg(name, source(), width=width)
    found = re.search(r'width="(\d+)"', drawn)
    assert found
    assert int(found[1]) == pytest.approx(Options(width=width).pixels, rel=0.08)
    shown = " ".join(texts(drawn))
    for said in (PLOTS[name].title, "fig-6.7.1: softmax on sectors\u00a0· SGD, lr 0.5", "3 seeds: mean and "):
        assert said in shown


@pytest.mark.parametrize("name", NAMES)
def test_a_screen_reader_hears_the_summary(name: str, source: Make) -> None:
    plot = PLOTS[name]
    assert chart(name, source())["description"] == plot.summary(plot.numbers(source()))


@pytest.mark.parametrize("name", NAMES)
def test_every_plot_of_nothing_says_so(name: str, source: Make, cell: Make) -> None:
    drawn = svg(name, source([cell(status="running")], []), width="one-column", theme="dark")
    assert "Nothing to show" in texts(drawn)
    assert "1 of 1 cell not finished yet" in " ".join(texts(drawn))


@pytest.mark.parametrize("name", NAMES)
def test_every_plot_of_a_grid_of_rates_and_momenta_is_drawn(name: str, source: Make, cell: Make, series: Make) -> None:
    grid = list(itertools.product((1, 8, 64), (0.1, 0.5), (0.0, 0.9)))
    cells = [cell(b, s, lr=lr, momentum=m) for b, lr, m in grid for s in range(2)]
    metrics = ("loss", "grad_norm", "val_loss")
    every = [series(b, metric, lr=lr, momentum=m) for b, lr, m in grid for metric in metrics]
    drawn = " ".join(texts(svg(name, source(cells, every), theme="dark")))
    assert "momentum 0.9" in drawn
    assert "lr 0.1" in drawn


def test_lines_differ_in_dash_and_marker_as_well_as_in_colour(source: Make) -> None:
    drawn = chart("grad-norm-vs-batch", source())
    channels = {
        name: channel["scale"]["range"]
        for part in walk(drawn)
        for name, channel in part.get("encoding", {}).items()
        if name in ("color", "shape", "strokeDash")
    }
    assert set(channels) == {"color", "shape", "strokeDash"}
    for found in channels.values():
        assert found[0] != found[1]


def test_two_quantities_are_named_at_the_ends_of_their_lines(source: Make) -> None:
    assert set(texts(svg("grad-norm-vs-batch", source()))) >= {"weights, dW", "biases, dB"}


def test_rates_are_in_a_legend_in_their_order(source: Make, cell: Make) -> None:
    cells = [cell(b, 1, lr=lr) for b in (1, 8) for lr in (10.0, 0.05, 2.0)]
    shown = [t for t in texts(svg("best-val-loss-vs-batch", source(cells))) if t.startswith("lr ") and "·" not in t]
    assert shown == ["lr 0.05", "lr 2", "lr 10"]


def test_the_legend_of_markers_is_in_full_colour_and_without_the_dashes_of_their_lines(
    source: Make, cell: Make
) -> None:
    drawn = chart("best-val-loss-vs-batch", source([cell(b, 1, lr=lr) for b in (1, 8) for lr in (0.05, 2.0)]))
    legends = [part["legend"] for part in walk(drawn) if part.get("legend") and "field" in part]
    assert legends
    for legend in legends:
        assert (legend["symbolOpacity"], legend["symbolStrokeWidth"]) == (1, 0)


def test_a_bar_is_as_long_as_the_interval(source: Make) -> None:
    plot = PLOTS["grad-norm-vs-batch"]
    numbers = plot.numbers(source())
    drawn = [v for v in values(chart("grad-norm-vs-batch", source())) if "low" in v]
    assert [(v["low"], v["high"]) for v in drawn] == [(p.low, p.high) for p in numbers.points]


def test_an_interval_of_accuracies_ends_at_one(source: Make, cell: Make) -> None:
    wide = [{"train_accuracy": v, "val_accuracy": v} for v in (0.9, 0.95, 1.0)]
    drawn = chart("accuracy-vs-batch", source([cell(4, s, result=r) for s, r in enumerate(wide)]))
    assert {v["high"] for v in values(drawn) if "high" in v} == {1.0}


def test_times_are_drawn_in_a_unit_that_can_be_read(source: Make, cell: Make) -> None:
    for seconds, drawn, unit in ((2e-5, 20.0, "µs"), (2e-2, 20.0, "ms"), (20.0, 20.0, "s")):
        found = chart("seconds-per-update", source([cell(4, result={"seconds_per_update": seconds})]))
        assert [v["mean"] for v in values(found)] == [pytest.approx(drawn)]
        assert f"Training time per update ({unit})" in titles(found)


def test_seeds_are_drawn_where_there_are_two(source: Make, cell: Make) -> None:
    drawn = chart("best-val-loss-vs-batch", source([cell(4, 0), cell(4, 1)]))
    assert len([v for v in values(drawn) if "seed" in v]) == 2


def test_panels_run_on_from_row_to_row_by_batch_size(source: Make, series: Make) -> None:
    drawn = chart("loss-curves", source(series=[series(b) for b in (64, 1, 2, 4, 8, 16, 32)]))
    places = {v["batch"]: (v["row"], v["column"]) for v in values(drawn) if "batch" in v}
    assert sorted(places, key=places.__getitem__) == [f"batch {b}" for b in (1, 2, 4, 8, 16, 32, 64)]
    assert places["batch 64"] == (1, 2)


def test_only_a_diverged_curve_has_a_cross_and_it_lies_within_the_axis(source: Make, series: Make) -> None:
    wild = series(16, mean=[1.0, 10.0, 1e20, 1e30], max=[1.0, 10.0, 1e20, 1e30], diverged_at=812)
    drawn = chart("loss-curves", source(series=[series(1), wild]))
    crosses = {v["batch"]: v["diverged"] for v in values(drawn) if "batch" in v}
    top = next(p["domain"][1] for p in walk(drawn) if p.get("type") == "log")
    assert crosses == {"batch 1": [None] * 4, "batch 16": [None, None, None, top]}
    assert top < 10


def test_curves_are_on_log_axes(source: Make) -> None:
    scales = [
        p["scale"] for p in walk(chart("grad-norm-curves", source())) if p.get("field") == "mean" and "scale" in p
    ]
    assert {s["type"] for s in scales} == {"log"}


def test_a_name_is_data_and_never_an_expression(source: Make, cell: Make) -> None:
    evil = "a'] || alert(1) || ['"
    cells = [cell(b, lr=lr, variant=v) for b in (1, 2) for lr in (0.1, 0.2) for v in (evil, "</script>")]
    shown = texts(svg("best-val-loss-vs-batch", source(cells, variants=[{"name": evil}, {"name": "</script>"}])))
    assert {evil, "</script>"} <= set(shown)


def test_a_plot_is_offered_where_its_metric_is_measured_over_several_batch_sizes(source: Make) -> None:
    def offered(experiment: Any) -> list[str]:
        return [p.name for p in available(experiment) if p.name in NAMES]

    experiment = source().experiment
    assert offered(experiment) == list(NAMES)
    one = experiment | {"spec": experiment["spec"] | {"batch_sizes": [32]}}
    assert offered(one) == ["loss-curves", "grad-norm-curves", "val-loss-curves"]
    regression = experiment | {"metrics": {"loss": "1", "val_loss": "1"}}
    assert offered(regression) == ["best-val-loss-vs-batch", "loss-curves", "val-loss-curves"]


@pytest.mark.parametrize(
    ("change", "plots"),
    [
        ({"lr": {"rule": "linear", "base": [0.1, 1.0], "base_batch": 32}}, {"accuracy-vs-lr", "final-loss-vs-lr"}),
        ({"lr": {"rule": "list", "values": [0.1, 1.0]}}, {"best-val-loss-vs-lr"}),
        ({"momentum": [0.0, 0.9]}, {"accuracy-vs-momentum"}),
        ({"optimizer": {"kind": "adam", "beta2": [0.9, 0.999]}}, {"accuracy-vs-beta2"}),
        ({"variants": [{"name": "a"}, {"name": "b"}]}, {"accuracy-by-variant", "seconds-per-update-by-variant"}),
        ({"variants": [{"name": "a"}, {"name": "b", "momentum": [0, 0.5]}]}, {"accuracy-vs-momentum"}),
    ],
)
def test_a_plot_against_an_axis_is_offered_where_the_sweep_has_that_axis(
    change: dict[str, Any], plots: set[str], source: Make
) -> None:
    before = {p.name for p in available(source(lr={"rule": "fixed", "base": 0.5}, momentum=0.0).experiment)}
    after = {p.name for p in available(source(**change).experiment)}
    assert plots <= after and not plots & before


def test_a_variant_may_bring_the_batch_sizes(source: Make) -> None:
    experiment = source(batch_sizes=[8], variants=[{"name": "a"}, {"name": "b", "batch_sizes": [1, 2]}]).experiment
    assert "best-val-loss-vs-batch" in {p.name for p in available(experiment)}


def test_sixteen_curves_are_a_small_document(source: Make, series: Make) -> None:
    long = {k: [1.0 / 3] * 250 for k in ("x", "mean", "min", "max", "lo", "hi")} | {"n": [5] * 250}
    drawn = chart("loss-curves", source(series=[series(b, **long) for b in range(1, 17)]))
    assert len(json.dumps(drawn)) < 400_000


def test_labels_keep_their_distance_and_their_order() -> None:
    assert spread([10.0, 11.0, 40.0], 12.0) == [10.0, 22.0, 40.0]
    assert spread([11.0, 10.0], 12.0) == [22.0, 10.0]
