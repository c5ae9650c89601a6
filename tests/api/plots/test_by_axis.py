"""Numbers against an axis of the sweep."""

from collections.abc import Callable
from typing import Any

import pytest
from batchlab.statistics import summary
from batchlab_api.plots import PLOTS, Options
from batchlab_api.plots.by_axis import LR, MOMENTUM, VARIANT, ByAxis, Quantity, measure, sentence, table
from batchlab_api.plots.places import Places

Make = Callable[..., Any]
LOSS = (Quantity("best_val_loss", "best"),)


def numbers(name: str, source: Any) -> ByAxis:
    found: ByAxis = PLOTS[name].numbers(source)
    return found


def test_a_point_is_the_mean_over_seeds_with_its_t_interval(source: Make, cell: Make) -> None:
    values = [0.1, 0.2, 0.6]
    cells = [cell(4, s, result={"best_val_loss": v}) for s, v in enumerate(values)]
    (point,) = measure(source(cells), "t", LOSS, "nats").points
    expected = summary(values)
    assert (point.n, point.mean) == (3, expected.mean)
    assert (point.low, point.high) == expected.ci95
    assert point.seeds == ()


def test_two_seeds_are_drawn_themselves_instead_of_an_interval(source: Make, cell: Make) -> None:
    cells = [cell(4, s, result={"best_val_loss": v}) for s, v in enumerate((0.1, 0.3))]
    found = measure(source(cells), "t", LOSS, "nats")
    assert found.points[0].seeds == (0.1, 0.3)
    assert found.points[0].low is None
    assert any(line.startswith("2 seeds: mean, and each seed") for line in found.lines)


def test_norms_of_weights_and_biases_are_two_lines(source: Make) -> None:
    found = numbers("grad-norm-vs-batch", source())
    assert found.quantities == ("weights, dW", "biases, dB")
    assert found.xs == (1, 4, 16)
    means = {(p.quantity, p.x): p.mean for p in found.points}
    assert means["biases, dB", 4] == pytest.approx(2 * means["weights, dW", 4])
    assert means["weights, dW", 1] == pytest.approx(4 * means["weights, dW", 16])


def test_diverged_cells_count_in_no_mean_and_are_named(source: Make, cell: Make) -> None:
    cells = [cell(4, 0), cell(4, 1, status="diverged"), cell(1, 0, status="diverged")]
    found = numbers("best-val-loss-vs-batch", source(cells))
    assert [(p.x, p.n) for p in found.points] == [(4, 1)]
    assert "2 of 3 cells diverged: batch 4, lr 0.5 (seed 1); batch 1, lr 0.5 (seed 0)" in found.lines


def test_a_result_that_is_not_a_number_counts_in_no_mean(source: Make, cell: Make) -> None:
    cells = [cell(4, s, result={"best_val_loss": v}) for s, v in enumerate((0.1, None, 0.3, 0.5))]
    (point,) = measure(source(cells), "t", LOSS, "nats").points
    assert point.n == 3
    assert point.mean == pytest.approx(0.3)


@pytest.mark.parametrize("name", ["seconds-per-update", "seconds-per-epoch"])
def test_time_plots_refuse_cells_that_shared_their_steps_and_say_so(name: str, source: Make, cell: Make) -> None:
    cells = [cell(4), cell(16), cell(16, 1, shared_with=3)]
    found = numbers(name, source(cells))
    assert [(p.x, p.n) for p in found.points] == [(4, 1), (16, 1)]
    assert "1 cell left out: its steps were shared with other cells" in found.lines


def test_other_plots_keep_cells_that_shared_their_steps(source: Make, cell: Make) -> None:
    found = numbers("best-val-loss-vs-batch", source([cell(4, shared_with=3)]))
    assert [p.x for p in found.points] == [4]


def test_a_wide_range_takes_a_log_axis_and_a_narrow_one_does_not(source: Make, cell: Make) -> None:
    for top, log in ((19.0, False), (21.0, True)):
        cells = [cell(b, result={"best_val_loss": v}) for b, v in ((1, 1.0), (2, top))]
        assert measure(source(cells), "t", LOSS, "nats").log is log


def test_values_that_a_log_axis_cannot_show_are_dropped_and_counted(source: Make, cell: Make) -> None:
    cells = [cell(b, result={"best_val_loss": v}) for b, v in ((1, 1.0), (2, 0.0), (3, -1.0))]
    found = measure(source(cells), "t", LOSS, "nats", log=True)
    assert [p.x for p in found.points] == [1]
    assert "2 values at or below zero not shown on the log axis" in found.lines


def test_a_linear_axis_drops_nothing(source: Make, cell: Make) -> None:
    cells = [cell(b, result={"best_val_loss": v}) for b, v in ((1, 100.0), (2, 0.0))]
    assert len(measure(source(cells), "t", LOSS, "nats").points) == 2


def test_learning_rates_are_lines(source: Make, cell: Make) -> None:
    cells = [cell(b, lr=lr) for b in (1, 4) for lr in (0.1, 0.5)]
    found = numbers("grad-norm-vs-batch", source(cells))
    assert found.arms.colours == ("lr 0.1", "lr 0.5")
    assert {(p.colour, p.x) for p in found.points} == {(f"lr {lr}", b) for lr in ("0.1", "0.5") for b in (1, 4)}


def test_the_summary_is_one_sentence_with_ends_and_extremes(source: Make, cell: Make) -> None:
    cells = [cell(b, result={"best_val_loss": v}) for b, v in ((1, 0.2), (4, 0.5), (16, 0.3))]
    plot = PLOTS["best-val-loss-vs-batch"]
    assert plot.summary(plot.numbers(source(cells))) == (
        "Best validation loss by batch size, 1 to 16 (nats): "
        "best validation loss 0.2 at batch 1, highest 0.5 at batch 4, 0.3 at batch 16."
    )


def test_many_lines_are_summed_up_by_their_range(source: Make, cell: Make) -> None:
    plot = PLOTS["grad-norm-vs-batch"]
    cells = [cell(b, 1, lr=lr) for b in (1, 4) for lr in (0.1, 0.5, 1.0)]
    assert "6 lines between 0.05 at batch 4 and 2 at batch 1" in plot.summary(plot.numbers(source(cells)))


def test_the_rows_hold_the_data_of_the_plot(source: Make) -> None:
    plot = PLOTS["accuracy-vs-batch"]
    rows = plot.rows(plot.numbers(source()))
    assert len(rows) == 6
    assert rows[0] == {
        "quantity": "training", "line": "", "batch_size": 1, "n": 3, "mean": pytest.approx(0.9),
        "ci95_low": pytest.approx(0.9), "ci95_high": pytest.approx(0.9),
    }  # fmt: skip


def test_nothing_finished_is_nothing_to_show(source: Make, cell: Make) -> None:
    plot = PLOTS["best-val-loss-vs-batch"]
    found = plot.numbers(source([cell(status="running")]))
    assert found.points == ()
    assert plot.summary(found) == "Best validation loss by batch size: nothing to show."
    assert plot.rows(found) == []


def test_rates_are_an_axis_and_batch_sizes_their_lines(source: Make, cell: Make) -> None:
    cells = [cell(b, lr=lr) for b in (4, 1) for lr in (0.5, 0.1)]
    found = measure(source(cells), "t", LOSS, "nats", LR)
    assert (found.xs, found.arms.colours) == ((0.1, 0.5), ("batch 1", "batch 4"))
    assert table(found)[0]["lr"] == 0.1
    assert "at lr 0.1" in sentence(found)


def test_momenta_leave_out_what_has_none(source: Make, cell: Make) -> None:
    cells = [cell(momentum=m) for m in (0.9, 0.0, None)]
    assert measure(source(cells), "t", LOSS, "nats", MOMENTUM).xs == (0.0, 0.9)


def test_variants_keep_their_order_and_show_every_seed(source: Make, cell: Make) -> None:
    values = [0.1, 0.2, 0.6]
    cells = [cell(4, s, variant=v, result={"best_val_loss": x}) for v in ("z", "a") for s, x in enumerate(values)]
    found = measure(source(cells), "t", LOSS, "nats", VARIANT)
    assert found.xs == ("z", "a")
    assert [(p.x, p.seeds, p.n) for p in found.points] == [("z", tuple(values), 3), ("a", tuple(values), 3)]
    assert found.points[0].low is not None
    assert "with z" in sentence(found)


def test_variants_are_drawn_as_rows_in_their_order(source: Make, cell: Make) -> None:
    cells = [cell(b, s, variant=v) for v in ("z", "a") for b in (1, 4) for s in range(3)]
    plot = PLOTS["accuracy-by-variant"]
    drawn = plot.chart(plot.numbers(source(cells)), Options()).to_dict()
    encodings = [layer["encoding"] for layer in drawn["spec"]["layer"]]
    assert all(e["y"]["sort"] == ["z", "a"] and e["yOffset"]["sort"] == ["batch 1", "batch 4"] for e in encodings)
    assert all(e["x"]["scale"]["domain"] == encodings[0]["x"]["scale"]["domain"] for e in encodings)


@pytest.mark.parametrize(
    ("values", "scale"),
    [((0.1, 0.2, 0.4), "linear"), ((0.001, 0.1), "log"), ((0.0, 1e-4, 1e-2), "symlog"), ((0.0,), "linear")],
)
def test_an_axis_of_numbers_takes_the_scale_they_need(values: tuple[float, ...], scale: str) -> None:
    found = Places.of(values, 300)
    assert found.scale == scale
    low, high = found.domain
    assert low < values[0] <= values[-1] < high
    moved = found.beside(values[-1], 5)
    assert found.pixel(moved) - found.pixel(values[-1]) == pytest.approx(5)


def test_arms_without_the_quantity_make_no_lines_and_the_one_that_has_it_is_named(source: Make, cell: Make) -> None:
    surface = [cell(1, s, momentum=m, variant="saddle", result={"loss": 1.0}) for m in (0.0, 0.9) for s in range(3)]
    network = [cell(32, s, momentum=m, variant="network") for m in (0.0, 0.9) for s in range(3)]
    found = PLOTS["accuracy-vs-momentum"].numbers(source([*surface, *network], momentum=[0.0, 0.9]))
    assert found.arms.labels == ("",)
    assert "network alone" in found.lines
