"""Accuracy at equal cost: where each cell is read, on curves that are known."""

from collections.abc import Callable
from typing import Any

import pytest
from batchlab_api.plots import PLOTS

Make = Callable[..., Any]


def evaluations(series: Make, batch_size: int, metric: str, x: list[float], values: list[float]) -> Any:
    return series(batch_size, metric, x=x, mean=values, seed=0)


@pytest.fixture
def two(source: Make, cell: Make, series: Make) -> Any:
    """Batch 1 has run for 8 and batch 16 for 4, on whatever axis is asked for; loss falls by 1, accuracy rises."""
    cells = [cell(b, result={"val_accuracy": 0.0}) for b in (1, 16)]
    of = {1: [0.0, 2.0, 4.0, 6.0, 8.0], 16: [0.0, 1.0, 3.0, 4.0]}
    made = []
    for b, x in of.items():
        loss = [5.0 - v * (0.5 if b == 1 else 1.0) for v in x]
        made.append(evaluations(series, b, "train_loss", x, loss))
        made.append(evaluations(series, b, "val_accuracy", x, [v / 10 for v in x]))
        made.append(evaluations(series, b, "train_accuracy", x, [v / 8 for v in x]))
    return source(cells, made)


@pytest.mark.parametrize(
    ("noun", "axis"), [("epochs", "epoch"), ("updates", "step"), ("examples", "examples"), ("time", "seconds")]
)
def test_every_cell_is_read_where_the_shortest_ends(noun: str, axis: str, two: Any) -> None:
    found = PLOTS[f"accuracy-at-equal-{noun}"].numbers(two)
    assert {asked[2] for asked in two.asked} == {axis}
    assert {(p.quantity, p.x): p.mean for p in found.points} == pytest.approx(
        {("training", 1): 0.5, ("validation", 1): 0.4, ("training", 16): 0.5, ("validation", 16): 0.4}
    )
    assert any(line.startswith("each cell after 4 ") for line in found.lines)


def test_at_equal_loss_a_cell_is_read_where_it_first_gets_there_on_a_straight_line(two: Any) -> None:
    found = PLOTS["accuracy-at-equal-train-loss"].numbers(two)
    assert "each cell where its training loss first falls to 1" in found.lines
    assert {p.x: p.mean for p in found.points if p.quantity == "validation"} == pytest.approx({1: 0.8, 16: 0.4})


def test_a_place_between_two_evaluations_lies_on_the_line_between_them(source: Make, cell: Make, series: Make) -> None:
    cells = [cell(b, result={"val_accuracy": 0.0}) for b in (1, 16)]
    made = [
        evaluations(series, b, metric, [0.0, end], values)
        for b, end, loss in ((1, 3.0, [4.0, 1.0]), (16, 1.0, [4.0, 3.0]))
        for metric, values in (("train_loss", loss), ("val_accuracy", [0.0, 0.9]))
    ]
    found = PLOTS["accuracy-at-equal-train-loss"].numbers(source(cells, made))
    assert {p.x: p.mean for p in found.points} == pytest.approx({1: 0.3, 16: 0.9})


def test_variants_of_other_budgets_are_compared_each_within_itself(source: Make, cell: Make, series: Make) -> None:
    ends = {"long": 8.0, "short": 2.0}
    cells = [cell(b, variant=name, result={"val_accuracy": 0.0}) for name in ends for b in (1, 16)]
    made = [
        series(b, metric, x=[0.0, end + b], mean=values, seed=0, variant=name)
        for name, end in ends.items()
        for b in (1, 16)
        for metric, values in (("train_loss", [1.0, 0.0]), ("val_accuracy", [0.0, end + b]))
    ]
    found = PLOTS["accuracy-at-equal-updates"].numbers(source(cells, made))
    assert {(p.panel or p.colour, p.x): p.mean for p in found.points} == pytest.approx(
        {("long", 1): 9.0, ("long", 16): 9.0, ("short", 1): 3.0, ("short", 16): 3.0}
    )
    assert any("long: each cell after 9 updates; short: each cell after 3 updates" in line for line in found.lines)


def test_without_an_evaluation_there_is_nothing_to_show(source: Make, cell: Make) -> None:
    plot = PLOTS["accuracy-at-equal-updates"]
    assert plot.numbers(source([cell(4)], [])).points == ()
