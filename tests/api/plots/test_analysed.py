"""Plots of what analyses have found."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from batchlab_api.plots import PLOTS, Options

Make = Callable[..., Any]
T = np.linspace(-1, 2, 7)
CRITICAL = {"critical_batch": 60.0, "critical_batch_low": 40.0, "critical_batch_high": 90.0, "fewest_updates": 100.0,
            "fewest_examples": 6000.0, "within": True, "noise_scale": None}  # fmt: skip
SWEPT = {"batch": np.array([4.0, 16.0, 64.0]), "updates": np.array([1600.0, 475.0, 190.0]), "lr": np.full(3, 0.1)}


@pytest.fixture
def analysed(source: Make, cell: Make) -> Any:
    """Two batches with two seeds, and analyses of every kind that is drawn."""
    cells = [
        cell(size, seed, id=10 * size + seed, ordinal=2 * i + seed) for i, size in enumerate((4, 16)) for seed in (0, 1)
    ]
    made = source(cells)
    pairs = [(40, 160), (41, 161)]
    for i, (a, b) in enumerate(pairs):
        line = {"t": T, "loss": T**2 + i + 0.1, "val_loss": T**2 + i + 0.2, "accuracy": 0 * T + 0.9}
        add(made, "interpolation", [a, b], {"barrier": 1.0}, line, rows=100)
        path = {"t": T, "straight_loss": T**2 + i, "loss": 0 * T + i}
        add(made, "connecting_path", [a, b], {"straight_barrier": 2.0 + i, "barrier": 0.1}, path)
    for one in cells:
        sharp = {"keskar_0.001": 10.0 * one["batch_size"] + one["seed"], "one_step_0.05": 1.0}
        add(made, "sharpness", [one["id"]], sharp, {})
        add(made, "eigenvalues", [one["id"]], {"lambda_max": 2.0 * one["batch_size"], "edge": 4.0}, {})
        grid = np.linspace(-1, 1, 3)
        bowl = np.add.outer(grid**2, grid**2) * one["batch_size"] + 0.5
        add(made, "landscape", [one["id"]], {"loss": 0.5}, {"x": grid, "y": grid, "loss": bowl}, normalise="filter")
        add(made, "landscape", [one["id"]], {"loss": 0.5}, {"x": T, "loss": T**2 + 0.5, "accuracy": 0 * T}, rows=100)
        way = {"x": grid, "y": grid, "loss": bowl, "places": np.array([[-1.0, 0.5], [0.2, 0.1], [0.0, 0.0]]),
               "steps": np.arange(3)}  # fmt: skip
        add(made, "trajectory", [one["id"]], {"explained_1": 0.9, "explained_2": 0.06}, way)
        add(made, "spectral_density", [one["id"]], {}, {"grid": grid, "density": np.exp(-(grid**2))})
    three = {"x": grid, "y": grid, "loss": bowl, "places": np.array([[0.0, 0.0], [0.9, 0.0], [0.3, 0.8]])}
    add(made, "plane", [40, 41, 160], {"loss": 0.5}, three)
    add(made, "critical_batch", [one["id"] for one in cells], CRITICAL, SWEPT)
    return made


def add(made: Any, kind: str, cells: list[int], values: Any, arrays: Any, **meta: Any) -> None:
    id_ = f"a{len(made.analyses)}"
    made.analyses.append({"id": id_, "kind": kind, "cells": cells, "values": values, "meta": meta})
    made.found[id_] = arrays


NAMES = (
    "sharpness-vs-batch",
    "curvature-vs-batch",
    "interpolation",
    "connecting-path",
    "spectral-density",
    "landscape",
    "landscape-line",
    "landscape-surface",
    "trajectory",
    "plane",
    "critical-batch",
)
KINDS = {"sharpness-vs-batch": "sharpness", "curvature-vs-batch": "eigenvalues", "landscape-line": "landscape",
         "landscape-surface": "landscape"}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_it_applies_where_such_an_analysis_is_asked_for_or_was_made(name: str, source: Make) -> None:
    kind = KINDS.get(name, name.replace("-", "_"))
    plot, plain = PLOTS[name], source().experiment
    assert not plot.applies(plain)
    assert plot.applies({**plain, "analysed": [kind]})
    assert plot.applies({**plain, "spec": {**plain["spec"], "analyses": [{"kind": kind}]}})


@pytest.mark.parametrize("name", NAMES)
def test_it_draws_says_and_lists_what_was_found(name: str, analysed: Any, source: Make) -> None:
    plot = PLOTS[name]
    numbers = plot.numbers(analysed)
    document = plot.chart(numbers, Options()).to_dict()
    assert document["description"] == plot.summary(numbers)
    assert plot.title in " ".join([*document["title"]["text"]])
    rows = plot.rows(numbers)
    assert rows and len({tuple(row) for row in rows}) == 1
    nothing = plot.numbers(source())
    assert "othing to show" in plot.summary(nothing)
    assert plot.rows(nothing) == []
    plot.chart(nothing, Options()).to_dict()


def test_sharpness_is_averaged_over_seeds(analysed: Any) -> None:
    rows = PLOTS["sharpness-vs-batch"].rows(PLOTS["sharpness-vs-batch"].numbers(analysed))
    means = {(row["quantity"], row["batch_size"]): row["mean"] for row in rows}
    assert means["keskar 0.001", 4] == pytest.approx(40.5)
    assert means["keskar 0.001", 16] == pytest.approx(160.5)
    assert means["one step 0.05", 16] == pytest.approx(1.0)


def test_of_the_eigenvalues_only_the_largest_is_drawn(analysed: Any) -> None:
    rows = PLOTS["curvature-vs-batch"].rows(PLOTS["curvature-vs-batch"].numbers(analysed))
    assert [(row["quantity"], row["mean"]) for row in rows] == [("lambda max", 8.0), ("lambda max", 32.0)]


def test_pairs_of_one_place_share_a_panel_and_tell_their_mean_barrier(analysed: Any) -> None:
    numbers = PLOTS["connecting-path"].numbers(analysed)
    assert numbers.panels == ("batch 4 to batch 16",)
    assert "mean barrier: straight 2.5, path 0.1" in numbers.lines
    assert "2 analyses: each thinly, their mean in bold" in numbers.lines


def test_landscapes_share_their_colours_and_show_the_first_seed(analysed: Any) -> None:
    numbers = PLOTS["landscape"].numbers(analysed)
    assert [panel.name for panel in numbers.panels] == ["batch 4", "batch 16"]
    assert (numbers.low, numbers.high) == (0.5, 32.5)
    assert "seed 0, directions scaled by filter" in numbers.lines


def test_lines_and_planes_of_one_kind_are_drawn_apart(analysed: Any) -> None:
    line, plane = (PLOTS[name].numbers(analysed) for name in ("landscape-line", "landscape"))
    assert {one.x for one in line.drawn} == {tuple(T)}
    assert line.rows == ("Training loss", "Accuracy")
    assert {len(panel.x) for panel in plane.panels} == {3}


def test_the_hyperbola_goes_through_the_sweep_beside_the_noise_scale_that_was_measured(analysed: Any) -> None:
    plot = PLOTS["critical-batch"]
    numbers = plot.numbers(analysed)
    for batch, updates in zip(numbers.batch, numbers.updates, strict=True):
        x, y = np.array(numbers.curve).T
        assert np.exp(np.interp(np.log(batch), np.log(x), np.log(y))) == pytest.approx(updates, rel=0.02)
    assert [mark.name for mark in numbers.marks] == ["critical batch"]
    assert any("no noise scale was measured" in line for line in numbers.lines)
    for cell in (40, 41):
        add(analysed, "gradient_noise", [cell], {"scatter": 30.0 + cell, "signal": 1.0}, {})
    (own, noise) = plot.numbers(analysed).marks
    assert (noise.name, noise.value) == ("noise scale at the end", pytest.approx(70.5))
    assert noise.low is not None and noise.low < 70.5 < noise.high
    assert own.text == "critical batch 60 [40, 90]"
    analysed.analyses[-3]["values"] = CRITICAL | {
        "noise_scale": 50.0,
        "noise_scale_low": None,
        "noise_scale_high": None,
    }
    assert plot.numbers(analysed).marks[1].text == "noise scale while training 50"


def test_the_edge_is_drawn_with_momentum_only_where_there_is_any(source: Make, series: Make) -> None:
    def read(batch: int, momentum: float) -> list[Any]:
        tops = {"lambda_max": [1.0, 3.0, 4.1, 3.9], "edge": [4.0] * 4, "edge_momentum": [4.0 * (1 + momentum)] * 4}
        return [series(batch, name, mean=mean, momentum=momentum) for name, mean in tops.items()]

    made = source(series=read(4, 0.0) + read(16, 0.5))
    plot = PLOTS["edge-of-stability"]
    assert not plot.applies(made.experiment)
    made.experiment["metrics"] = {"lambda_max": "1", "edge": "1", "edge_momentum": "1"}
    assert plot.applies(made.experiment)
    numbers = plot.numbers(made)
    drawn = [(line.panel, line.colour) for line in numbers.drawn]
    assert drawn == [
        ("momentum 0, batch 4", "largest eigenvalue"), ("momentum 0, batch 4", "2 / lr"),
        ("momentum 0.5, batch 16", "largest eigenvalue"), ("momentum 0.5, batch 16", "2 / lr"),
        ("momentum 0.5, batch 16", "2 (1 + m) / lr"),
    ]  # fmt: skip
    assert numbers.drawn[-1].mean[0] == 6.0
    plot.chart(numbers, Options()).to_dict()


def test_a_trajectory_shows_its_way_and_what_its_plane_explains(analysed: Any) -> None:
    panel = PLOTS["trajectory"].numbers(analysed).panels[0]
    assert panel.name == "batch 4, explained: 90% + 6%"
    assert (panel.way, panel.marks[-1], len(panel.marks)) == (True, (0.0, 0.0), 3)
    (plane,) = PLOTS["plane"].numbers(analysed).panels
    assert (plane.way, plane.marks[1]) == (False, (0.9, 0.0))
