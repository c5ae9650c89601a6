"""Ticks, domains and the labels that fit."""

import math
from typing import Any

import pytest
from batchlab_api.plots import axes
from batchlab_api.plots.places import Places

BOOK = (1, 2, 4, 8, 10, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 128)


def labelled(sizes: tuple[int, ...], width: float) -> list[int]:
    axis: Any = Places.of(sizes, width, log=True).axis().to_dict()
    shown = axis["axis"]["labelExpr"]
    return [int(part) for part in shown.split("[")[1].split("]")[0].split(",")]


def test_every_batch_size_has_a_tick_on_a_log_2_axis() -> None:
    axis: Any = Places.of(BOOK, 500, log=True).axis().to_dict()
    assert axis["axis"]["values"] == list(BOOK)
    assert (axis["scale"]["type"], axis["scale"]["base"]) == ("log", 2)


def test_both_ends_and_powers_of_two_are_labelled_first() -> None:
    assert set(labelled(BOOK, 500)) >= {1, 2, 4, 8, 16, 32, 64, 128}
    assert labelled(BOOK, 60)[0] == 1
    assert labelled(BOOK, 60)[-1] == 128


@pytest.mark.parametrize("width", [60, 120, 300, 600])
def test_labels_do_not_touch(width: float) -> None:
    shown = labelled(BOOK, width)
    at = [width * math.log(size * 1.18) / math.log(128 * 1.18**2) for size in shown]
    gaps = [
        (right - left) - axes.CHARACTER * (len(str(a)) + len(str(b))) / 2
        for left, right, a, b in zip(at, at[1:], shown, shown[1:], strict=False)
    ]
    assert min(gaps) >= 0


def test_a_single_batch_size_has_an_axis_too() -> None:
    axis: Any = Places.of((32,), 200, log=True).axis().to_dict()
    low, high = axis["scale"]["domain"]
    assert low < 32 < high


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.001, 1.0, [0.001, 0.01, 0.1, 1.0]),
        (0.03, 4.0, [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]),
        (50.0, 110.0, [50.0, 60.0, 70.0, 80.0, 90.0, 100.0]),
        (1.0, 1.6, [1.0, 1.25, 1.5]),
        (1e-30, 1e30, [1e-20, 1.0, 1e20]),
    ],
)
def test_log_ticks_are_round_and_few(low: float, high: float, ticks: list[float]) -> None:
    found = axes.log_ticks(low, high)
    assert len(found) <= axes.MOST_TICKS
    assert set(ticks) <= set(found)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 0.18, [0.0, 0.05, 0.1, 0.15]),
        (0.94, 1.0, [0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 1.0]),
        (-3.0, 3.0, [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]),
        (0.0, 700.0, [0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0]),
    ],
)
def test_linear_ticks_are_round_and_few(low: float, high: float, ticks: list[float]) -> None:
    assert axes.linear_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize("log", [True, False])
def test_a_low_axis_has_fewer_ticks(log: bool) -> None:
    domain = (0.0016, 3.4)
    few, many = (axes.value_axis("y:Q", domain, height, log=log).to_dict() for height in (60, 300))
    assert 3 <= len(ticks_of(few)) <= axes.LEAST_TICKS
    assert len(ticks_of(many)) > len(ticks_of(few))


def ticks_of(axis: Any) -> list[float]:
    found: list[float] = axis["axis"]["values"]
    return found


def test_tick_labels_have_the_decimals_that_they_need() -> None:
    for domain, wanted in (((0.02, 0.07), ".2f"), ((0.0, 0.18), ".2f"), ((0.0, 60.0), ".0f"), ((0.98, 1.0), ".3f")):
        axis: Any = axes.value_axis("y:Q", domain, 300, log=False).to_dict()
        assert axis["axis"]["format"] == wanted


def test_a_linear_domain_starts_at_zero_only_where_the_values_come_near_it() -> None:
    assert axes.linear_domain([0.02, 0.18])[0] == 0
    assert axes.linear_domain([0.95, 0.99])[0] > 0.9
    assert axes.linear_domain([-1.0, 1.0])[0] < -1


def test_domains_of_nothing_and_of_one_value_are_not_empty() -> None:
    for low, high in (axes.linear_domain([]), axes.linear_domain([3.0]), axes.log_domain([]), axes.log_domain([3.0])):
        assert low < high


def test_a_log_domain_does_not_count_what_it_cannot_show() -> None:
    low, high = axes.log_domain([-1.0, 0.0, 0.1, 10.0])
    assert 0.05 < low < 0.1
    assert 10 < high < 20


@pytest.mark.parametrize("log", [True, False])
def test_a_pixel_and_its_value_are_each_other_s_inverse(log: bool) -> None:
    pixel = axes.to_pixel(0.3, (0.1, 1.0), 200, log=log)
    assert axes.from_pixel(pixel, (0.1, 1.0), 200, log=log) == pytest.approx(0.3)
    assert axes.to_pixel(1.0, (0.1, 1.0), 200, log=log) == pytest.approx(200)


def test_a_mark_beside_its_batch_size_is_so_many_pixels_away() -> None:
    width = 300.0
    moved = Places.of(BOOK, width, log=True).beside(16, 5)
    low, high = 1 / 1.18, 128 * 1.18
    assert width * math.log(moved / 16) / math.log(high / low) == pytest.approx(5)
