"""Paths over contour lines, steps and their parts, runs that leave, and worked examples."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from batchlab.datasets import split
from batchlab.expand import expand
from batchlab.spec import parse_spec
from batchlab_api.plots import PLOTS, Options, available, render
from batchlab_api.plots.contours import Window, chained, contours, crossings, loss_of, triangles
from batchlab_api.plots.options import Column
from batchlab_api.plots.walking import STEPS

Make = Callable[..., Any]
BASE = {
    "batch_sizes": ["full"],
    "lr": {"rule": "fixed", "base": 0.5},
    "momentum": [0.0, 0.5],
    "budget": {"steps": 3},
    "probes": [{"kind": "position"}, {"kind": "momentum_parts"}, {"kind": "distance", "radius": 1.0}],
}
SURFACE = {"dataset": {"kind": "slopes", "rows": 1}, "model": {"kind": "surface"}}
LINE = {"dataset": {"kind": "linear_regression", "rows": 20, "features": 1, "validation": "train"},
        "model": {"kind": "linear"}}  # fmt: skip


class Walked:
    """An experiment whose two parameters go along straight lines, with the same parts in every step."""

    def __init__(self, final: dict[str, float] | None = None, seeds: int = 1, **spec: Any) -> None:
        document = BASE | SURFACE | {"seeds": seeds} | spec
        self.experiment = {"name": "walk", "spec": document, "metrics": {}}
        parsed = expand(parse_spec(document))
        self.names = list(parsed[0].model.parameters(parsed[0].info.shape, 1))
        prefixes = ("param", "gradient_step", "previous_step", "step")
        self.experiment["metrics"] = {f"{p}/{n}": "1" for p in prefixes for n in self.names} | {"distance": "1"}
        self.cells = [
            {**cell.describe(), "status": "succeeded", "shared_with": 0,
             "result": {"updates": 3, "escape_step": cell.seed + 1 if cell.momentum else None,
                        **({f"final_param/{n}": 9.0 for n in self.names} if final is None else final)}}
            for cell in parsed
        ]  # fmt: skip
        self.groups: list[Any] = []

    def curves(self, metrics: Any, points: int, x: str, group: str) -> list[dict[str, Any]]:
        assert (x, group) == ("step", "cell")
        offsets = {"param": [0.0, 1.0, 2.0], "gradient_step": [1.0] * 3, "previous_step": [0.5] * 3}
        return [
            {**{key: cell[key] for key in ("variant", "batch_size", "lr", "momentum", "params", "seed")},
             "metric": metric, "x": [1, 2, 3], "diverged_at": None,
             "mean": [v + self.names.index(metric.partition("/")[2]) for v in offsets[metric.partition("/")[0]]]}
            for cell in self.cells for metric in metrics
        ]  # fmt: skip


def test_a_path_goes_from_the_start_through_every_update_to_the_end() -> None:
    found = PLOTS["paths"].numbers(Walked())
    assert found.names == ("x", "y")
    assert [walk.colour for walk in found.walks] == ["momentum 0", "momentum 0.5"]
    assert found.walks[0].points.tolist() == [[0, 1], [1, 2], [2, 3], [9, 9]]
    row = PLOTS["paths"].rows(found)[0]
    assert (row["updates"], row["first y"], row["last x"]) == (3, 1.0, 9.0)


def test_a_path_without_its_end_stops_at_the_last_update() -> None:
    assert PLOTS["paths"].numbers(Walked(final={})).walks[0].points.tolist() == [[0, 1], [1, 2], [2, 3]]


def test_only_the_first_seed_of_a_point_is_drawn() -> None:
    found = PLOTS["paths"].numbers(Walked(seeds=3))
    assert [walk.cell.seed for walk in found.walks] == [0, 0]
    assert "seed 0; ring: start, disc: end" in found.lines


def test_the_weight_of_a_line_is_drawn_to_the_right_and_its_bias_upwards() -> None:
    assert PLOTS["paths"].numbers(Walked(**LINE)).names == ("linear.weight", "linear.bias")


def test_steps_are_drawn_for_the_largest_momentum_up_to_nine_tenths() -> None:
    found = PLOTS["step-parts"].numbers(Walked(momentum=[0.0, 0.5, 0.9, 0.99]))
    assert [walk.cell.momentum for walk in found.walks] == [0.9]
    assert found.walks[0].parts.tolist() == [[[1, 2], [0.5, 1.5]]] * 3
    assert f"the first {STEPS} updates, momentum 0.9" in found.lines


def test_a_run_counts_as_gone_from_the_update_after_which_it_was_beyond_the_radius() -> None:
    found = PLOTS["escape-times"].numbers(Walked(seeds=2))
    stay, leave = found.drawn
    assert (stay.x.tolist(), stay.mean.tolist()) == ([0, 3], [0, 0])
    assert (leave.x.tolist(), leave.mean.tolist()) == ([0, 1, 1, 2, 2, 3], [0, 0, 0.5, 0.5, 1, 1])


def test_the_parts_of_a_step_are_strokes_in_the_legend() -> None:
    plot = PLOTS["step-parts"]
    drawn = str(plot.chart(plot.numbers(Walked(momentum=0.9)), Options()).to_dict())
    assert "'symbolType': 'stroke'" in drawn and "'symbolStrokeWidth': 0" not in drawn


def test_a_worked_example_shows_every_number() -> None:
    spec = {"dataset": {"kind": "inline", "x": [[1.0], [2.0]], "y": [0.0, 0.0]},
            "model": {"kind": "linear", "bias": False}, "momentum": 0.0}  # fmt: skip
    plot, source = PLOTS["worked-example"], Walked(**spec)
    assert plot.applies(source.experiment)
    rows = plot.rows(plot.numbers(source))
    assert [(row["before"], row["after"]) for row in rows] == [(0, 1), (1, 2), (2, 9)]
    assert rows[0]["gradient"] == -2.0
    picture, _ = render(plot.chart(plot.numbers(source), Options()), "svg", Options())
    assert "−0.5 × −2.000" in picture.decode()


def test_a_plot_is_offered_where_its_numbers_are() -> None:
    def offered(**spec: Any) -> set[str]:
        return {plot.name for plot in available(Walked(**spec).experiment)}

    assert {"paths", "step-parts", "escape-times"} <= offered()
    assert "escape-times" not in offered(probes=[{"kind": "position"}, {"kind": "momentum_parts"}])
    assert "worked-example" not in offered()


def test_contour_lines_of_a_bowl_are_circles() -> None:
    lines = contours(lambda x, y: x**2 + y**2, Window((-1.0, -1.0), (1.0, 1.0)))
    for line in lines:
        radii = np.hypot(*line.T)
        np.testing.assert_allclose(radii, radii[0], atol=2e-3)
        closed = (line[0] == line[-1]).all()
        assert closed == (radii[0] < 1), "it is closed where it does not meet the edge"
    assert len(lines) > 8


def test_a_loss_that_is_the_same_everywhere_has_no_contour_lines() -> None:
    assert contours(lambda x, y: 0.0 * (x + y), Window((-1.0, -1.0), (1.0, 1.0))) == []


def test_pieces_are_joined_in_whatever_order_they_come() -> None:
    pieces = np.array([[2.0, 0, 3, 1], [0, 0, 1, 0], [4, 0, 3, 1], [2, 0, 1, 0]])
    (line,) = chained(pieces)
    assert sorted(map(tuple, line[[0, -1]].tolist())) == [(0, 0), (4, 0)]


def test_a_plane_is_crossed_along_a_straight_line() -> None:
    x, y = np.meshgrid(np.arange(4.0), np.arange(4.0))
    pieces = crossings(triangles(np.stack([x, y, x + 2 * y], axis=-1)), 3.3)
    np.testing.assert_allclose(pieces[:, 0] + 2 * pieces[:, 1], 3.3)
    np.testing.assert_allclose(pieces[:, 2] + 2 * pieces[:, 3], 3.3)


def test_the_loss_under_a_line_is_that_of_its_rows() -> None:
    cell = expand(parse_spec(BASE | LINE))[0]
    loss = loss_of(cell)
    assert loss is not None
    x, y = split(cell.dataset, cell.dataset.load(Path()), cell.seed).train
    expected = np.mean((0.3 * x[:, 0].astype(np.float64) - 0.2 - y) ** 2) / 2
    assert float(loss(np.array(0.3), np.array(-0.2))) == pytest.approx(expected, rel=1e-6)


def test_a_loss_that_is_no_formula_has_no_contour_lines() -> None:
    spec = BASE | {"dataset": {"kind": "iris"}, "model": {"kind": "softmax"}, "probes": []}
    assert loss_of(expand(parse_spec(spec))[0]) is None


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", get_args(Column))
@pytest.mark.parametrize("name", ["paths", "step-parts", "escape-times"])
def test_it_can_be_drawn(name: str, width: Column, theme: Any) -> None:
    plot, asked = PLOTS[name], Options(width=width, theme=theme)
    picture, _ = render(plot.chart(plot.numbers(Walked(seeds=2)), asked), "svg", asked)
    assert plot.title in picture.decode()
    assert plot.summary(plot.numbers(Walked())).startswith(plot.title)
