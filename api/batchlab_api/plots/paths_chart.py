"""Draws walks over contour lines: the way of each cell, or its first steps with what they are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from batchlab_api.plots import axes, frame, theme
from batchlab_api.plots.curves_chart import short
from batchlab_api.plots.options import Options
from batchlab_api.plots.paths import Panel, Paths, Walk, sentence

LABELS = 30.0
"""Width of the tick labels of a panel, in pixels."""
FEW_POINTS = 60
"""Paths of at most so many updates have a dot at each of them."""
PARTS = ("step", "− rate × gradient", "+ previous step’s part")
"""A step, and the two parts whose sum it is."""
HEAD = 4.0
"""Half the length of an arrow's head, in pixels."""


@dataclass(frozen=True)
class Layout:
    """How many panels beside each other, and how large; in pixels."""

    columns: int
    width: int
    height: int


def draw_paths(numbers: Paths, options: Options) -> alt.TopLevelMixin:
    """Each cell's way from its start (a ring) to its end (a disc)."""
    if not numbers.walks:
        return frame.empty(numbers.title, numbers.lines, sentence(numbers), options)
    layout = _layout(numbers, options, numbers.colours)
    style = frame.style(
        "line:N", numbers.colours, ordered=numbers.arms.ordered, options=options, legend=len(numbers.colours) > 1
    )
    charts = [_panel(panel, _ways(numbers, panel, style), numbers, layout, options) for panel in numbers.panels]
    return _together(charts, numbers, layout, options)


def draw_parts(numbers: Paths, options: Options) -> alt.TopLevelMixin:
    """The first steps of each cell as arrows: minus rate times gradient, then the rest, and the step itself."""
    if not numbers.walks:
        return frame.empty(numbers.title, numbers.lines, sentence(numbers), options)
    layout = _layout(numbers, options, PARTS)
    style = frame.style("part:N", PARTS, ordered=False, options=options, legend=True, dashed=True)
    charts = [
        _panel(panel, _arrows(_walks_in(numbers, panel), panel, layout, style), numbers, layout, options)
        for panel in numbers.panels
    ]
    return _together(charts, numbers, layout, options)


def _layout(numbers: Paths, options: Options, labels: Sequence[str]) -> Layout:
    count = len(numbers.panels)
    beside = frame.legend_width(labels, options)
    columns = 1 if options.narrow else min(count, 2 if count in (2, 4) else 3)
    width = frame.panel_width(options, columns, columns * LABELS, beside)
    return Layout(columns, width, options.height or int(min(0.85 * width, 320)))


def _together(charts: Sequence[Any], numbers: Paths, layout: Layout, options: Options) -> alt.TopLevelMixin:
    rows = [
        alt.hconcat(*charts[i : i + layout.columns], spacing=frame.SPACING)
        for i in range(0, len(charts), layout.columns)
    ]
    whole = alt.vconcat(*rows, spacing=frame.SPACING) if len(rows) > 1 else rows[0]
    return frame.finish(whole, numbers.title, numbers.lines, sentence(numbers), options)


def _panel(panel: Panel, marks: Sequence[Any], numbers: Paths, layout: Layout, options: Options) -> Any:
    """The marks over the contour lines, on axes of their own."""
    ground = [{"of": i, "x": short(line[:, 0]), "y": short(line[:, 1])} for i, line in enumerate(panel.contours)]
    x, y = (_axis(name, panel, i, layout) for i, name in enumerate(numbers.names))
    flat = alt.Chart(frame.rows(ground)).transform_flatten(["x", "y"]).transform_window(step="row_number()")
    lines = flat.mark_line(strokeWidth=0.7, color=theme.GHOST[options.theme], clip=True)
    layers = [lines.encode(x=x, y=y, detail="of:N", order="step:Q")] if ground else []
    title = alt.TitleParams(
        panel.label, fontSize=11, fontWeight="normal", offset=4, anchor="start", color=theme.INK[options.theme]
    )
    chart = alt.layer(*layers, *(mark.encode(x=x, y=y) for mark in marks))
    return chart.properties(width=layout.width, height=layout.height, title=title if panel.label else "")


def _axis(name: str, panel: Panel, i: int, layout: Layout) -> Any:
    domain = (panel.window.low[i], panel.window.high[i])
    room = (layout.width, layout.height)[i]
    ticks = axes.linear_ticks(*domain, max(3, min(6, room // 45)))
    axis = alt.Axis(values=ticks, format="~g", grid=False)
    scale = alt.Scale(domain=list(domain), nice=False, zero=False)
    made: Any = (alt.X, alt.Y)[i](("x:Q", "y:Q")[i], title=_said(name), scale=scale, axis=axis)
    return made


def _said(name: str) -> str:
    """A parameter's name for an axis: `linear.weight` is the weight."""
    return name.rpartition(".")[2]


def _walks_in(numbers: Paths, panel: Panel) -> list[Walk]:
    return [walk for walk in numbers.walks if walk.panel == panel.label]


def _ways(numbers: Paths, panel: Panel, style: frame.Style) -> list[Any]:
    walks = sorted(_walks_in(numbers, panel), key=_length, reverse=True)  # the shorter ones on top
    data = [{"line": walk.colour, "x": short(walk.points[:, 0]), "y": short(walk.points[:, 1])} for walk in walks]
    flat = alt.Chart(frame.rows(data)).transform_flatten(["x", "y"]).transform_window(step="row_number()")
    ends = [
        {"line": walk.colour, "x": float(walk.points[i, 0]), "y": float(walk.points[i, 1]), "end": i}
        for walk in walks for i in (0, -1)
    ]  # fmt: skip
    few = max(len(walk.points) for walk in walks) <= FEW_POINTS
    marks = alt.Chart(frame.rows(ends))
    return [
        flat.mark_line(strokeWidth=1.6 if few else 1.1, clip=True).encode(order="step:Q", **style.of("color")),
        *([flat.mark_circle(size=12, opacity=1, clip=True).encode(**style.of("color"))] if few else []),
        marks.transform_filter("datum.end == 0").mark_point(size=55, strokeWidth=1.8).encode(**style.of("color")),
        marks.transform_filter("datum.end != 0").mark_circle(size=60, opacity=1).encode(**style.of("color")),
    ]


def _arrows(walks: Sequence[Walk], panel: Panel, layout: Layout, style: frame.Style) -> list[Any]:
    data = [arrow for walk in walks for arrow in _of_steps(walk, panel, layout)]
    source = alt.Chart(frame.rows(data))
    shafts = source.mark_rule(strokeWidth=1.8, clip=True).encode(x2="x2:Q", y2="y2:Q", **style.of("color"))
    heads = (
        alt.Chart(frame.rows([{**arrow, "x": arrow["hx"], "y": arrow["hy"]} for arrow in data]))
        .mark_point(shape="triangle", filled=True, size=45, opacity=1, clip=True)
        .encode(angle=alt.Angle("angle:Q", scale=alt.Scale(domain=[0, 360], range=[0, 360])), **style.of("color"))
    )
    starts = alt.Chart(frame.rows([{"x": float(x), "y": float(y)} for walk in walks for x, y in walk.points]))
    return [shafts, heads, starts.mark_circle(size=22, opacity=1, color="#808080")]


def _of_steps(walk: Walk, panel: Panel, layout: Layout) -> list[dict[str, Any]]:
    found = []
    for point, (descent, rest) in zip(walk.points, walk.parts, strict=False):
        middle = point + descent
        ends = ((point, middle + rest), (point, middle), (middle, middle + rest))
        made = [_arrow(part, a, b, panel, layout) for part, (a, b) in zip(PARTS, ends, strict=True)]
        found += [arrow for arrow in made if arrow is not None]
    return found


def _length(walk: Walk) -> float:
    return float(np.linalg.norm(np.diff(walk.points, axis=0), axis=1).sum())


def _arrow(part: str, a: Any, b: Any, panel: Panel, layout: Layout) -> dict[str, Any] | None:
    """From a to b, with a head that ends at b; None for what is shorter than a head."""
    span = np.subtract(panel.window.high, panel.window.low)
    pixels = (b - a) / span * (layout.width, layout.height)
    length = float(np.hypot(*pixels))
    if length < HEAD:
        return None
    head = b - (b - a) * min(1.0, HEAD / length)
    angle = float(np.degrees(np.arctan2(pixels[0], pixels[1]))) % 360
    x, y, x2, y2, hx, hy = short(np.concatenate([a, head, head]))
    return {"part": part, "x": x, "y": y, "x2": x2, "y2": y2, "hx": hx, "hy": hy, "angle": round(angle, 1)}
