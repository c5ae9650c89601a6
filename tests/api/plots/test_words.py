"""The words of a plot."""

from collections.abc import Callable
from typing import Any

import pytest
from batchlab_api.plots import words

Make = Callable[..., Any]


def test_the_subtitle_names_model_data_optimizer_rate_and_budget(source: Make) -> None:
    assert words.setting(source()) == "fig-6.7.1: softmax on sectors\u00a0· SGD, lr 0.5\u00a0· 500 epochs"


def test_a_momentum_and_a_range_of_rates_are_said(source: Make, cell: Make) -> None:
    found = words.setting(source([cell(lr=0.05, momentum=0.9), cell(lr=4.0, momentum=0.0)]))
    assert "SGD, lr 0.05 to 4, momentum 0, 0.9" in found


def test_variants_of_the_model_are_all_named(source: Make) -> None:
    spec = {"variants": [{"name": "a"}, {"name": "b", "model": {"kind": "mlp"}, "budget": {"epochs": 3}}]}
    found = words.setting(source(**spec))
    assert "softmax / mlp on sectors" in found
    assert "epochs" not in found


def test_data_of_a_user_are_called_by_their_name(source: Make) -> None:
    found = words.setting(source(dataset={"kind": "user", "name": "wind-tunnel"}))
    assert "softmax on wind-tunnel" in found


def test_a_long_name_is_cut(source: Make) -> None:
    made = source()
    made.experiment["name"] = "n" * 200
    assert words.setting(made).startswith("n" * 79 + "…: ")


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([], ""),
        ([1, 1], "1 seed: no interval"),
        ([2], "2 seeds: mean, and each seed as a small dot (too few for an interval)"),
        ([5, 5], "5 seeds: mean and 95 % t interval"),
        ([5, 3], "3 to 5 seeds: mean and 95 % t interval"),
    ],
)
def test_the_number_of_seeds_is_always_said(counts: list[int], said: str) -> None:
    assert words.seeds(counts) == said


def test_cells_that_diverged_or_failed_are_named(cell: Make) -> None:
    cells = [cell(1, s, status="diverged", lr=4.0) for s in (0, 3)] + [cell(2, 1, status="failed"), cell(4)]
    assert words.missing(cells) == [
        "2 of 4 cells diverged: batch 1, lr 4 (seeds 0, 3)",
        "1 of 4 cells failed: batch 2, lr 0.5 (seed 1)",
    ]


def test_no_more_than_three_points_are_named(cell: Make) -> None:
    (note,) = words.missing([cell(b, status="diverged", variant="big", momentum=0.9) for b in (1, 2, 3, 4, 5)])
    assert note.startswith("5 of 5 cells diverged: big, batch 1, lr 0.5, momentum 0.9 (seed 0); ")
    assert note.endswith(" and 2 more points")


def test_cells_still_to_be_trained_are_counted(cell: Make) -> None:
    assert words.missing([cell(), cell(status="running"), cell(status="queued")]) == ["2 of 3 cells not finished yet"]


def test_lines_break_at_spaces_and_chinese_counts_double() -> None:
    assert words.wrap(["one two three", "four"], 8) == ["one two", "three", "four"]
    assert words.wrap(["学习率与批大小"], 6) == ["学习率", "与批大", "小"]
    assert words.wrap(["x" * 14 + " yy"], 6) == ["xxxxxx", "xxxxxx", "xx yy"]


def test_nothing_is_lost_by_wrapping() -> None:
    text = "a bb ccc dddd " * 9
    assert " ".join(words.wrap([text], 11)) == text.strip()


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "none"), (0.5, "0.5"), (0.123456, "0.1235"), (1e-7, "1e-7"), (60000.0, "6e4"), (128, "128")],
)
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(210.4, "210"), (9949, "9900"), (-1234.0, "-1200"), (10_000, "1e4"), (12_345, "1.2e4"), (0, "0")],
)
def test_numbers_below_ten_thousand_need_no_exponent(value: float, text: str) -> None:
    assert words.number(value, 2) == text
