"""Draws the map of rates and batch sizes on log axes, with the best rate of each batch size marked."""

from typing import Any

import altair as alt

from batchlab_api.plots import axes, frame, theme, words
from batchlab_api.plots.heat import Heat, edges, sentence
from batchlab_api.plots.options import Options

LEGEND = 92
"""Width of the colour scale with its title, in pixels."""
WIDE = 5.0
"""Values that span more than this factor have colours on a log scale."""
SHADES = 9


def draw(numbers: Heat, options: Options) -> alt.TopLevelMixin:
    """The chart, a panel for each setting of the rest of the sweep."""
    said = sentence(numbers)
    if not any(tile.mean is not None for tile in numbers.tiles):
        return frame.empty(numbers.title, numbers.lines, said, options)
    columns = len(numbers.panels)
    width = frame.panel_width(options, columns, 5 * axes.CHARACTER, 0 if options.narrow else LEGEND)
    height = frame.panel_height(options, width, 180)
    chart = alt.layer(*_marks(numbers, options), data=frame.rows(_data(numbers)), width=width, height=height)
    names = [words.wrap([name], max(8, int(width / frame.SMALL))) for name in numbers.panels]
    grid = frame.Grid(("",), names, "Batch size (rows)", "Learning rate")
    return frame.finish(frame.panels(chart, grid), numbers.title, numbers.lines, said, options)


def _data(numbers: Heat) -> list[dict[str, Any]]:
    sizes = edges(sorted({float(tile.batch_size) for tile in numbers.tiles}))
    rates = edges(sorted({tile.lr for tile in numbers.tiles}))
    rows: list[dict[str, Any]] = []
    for tile in numbers.tiles:
        (x, x2), (y, y2) = sizes[tile.batch_size], rates[tile.lr]
        place = {"x": x, "x2": x2, "y": y, "y2": y2, "batch_size": tile.batch_size, "lr": tile.lr}
        rows.append(
            place | {"mean": tile.mean, "lost": tile.mean is None, "column": numbers.panels.index(tile.panel), "row": 0}
        )
    for optimum in numbers.optima:
        place = {"best_batch": optimum.batch_size, "best_lr": optimum.lr}
        rows.append(place | {"column": numbers.panels.index(optimum.panel), "row": 0})
    return rows


def _marks(numbers: Heat, options: Options) -> list[Any]:
    means = [tile.mean for tile in numbers.tiles if tile.mean is not None]
    log = numbers.goal == "min" and min(means) > 0 and max(means) > WIDE * min(means)
    good_first = theme.ramp(SHADES, options.theme)
    colours = good_first if numbers.goal == "min" else good_first[::-1]
    legend = alt.Legend(
        title=numbers.label, orient="bottom" if options.narrow else "right", format=".2~g", gradientLength=140,
        titleLimit=LEGEND + 40,
    )  # fmt: skip
    colour = alt.Color(
        "mean:Q", scale=alt.Scale(type="log" if log else "linear", range=colours, nice=False), legend=legend
    )
    x, y = _axes(numbers)
    base = alt.Chart()
    tiles = base.transform_filter("isValid(datum.mean)").mark_rect()
    ink, paper = theme.INK[options.theme], theme.BACKGROUND[options.theme]
    lost = base.transform_filter("datum.lost === true")
    best = base.transform_filter("isValid(datum.best_lr)").encode(x=alt.X("best_batch:Q"), y=alt.Y("best_lr:Q"))
    return [
        tiles.encode(x=x, x2="x2:Q", y=y, y2="y2:Q", color=colour, tooltip=["batch_size:Q", "lr:Q", "mean:Q"]),
        lost.mark_text(text="×", fontSize=14, color=theme.FAINT[options.theme]).encode(x="batch_size:Q", y="lr:Q"),
        best.mark_line(color=paper, strokeWidth=4),
        best.mark_line(color=ink, strokeWidth=1.8),
        best.mark_point(size=70, filled=True, fill=paper, stroke=ink, strokeWidth=1.6, opacity=1),
    ]


def _axes(numbers: Heat) -> tuple[alt.X, alt.Y]:
    sizes = sorted({tile.batch_size for tile in numbers.tiles})
    rates = sorted({tile.lr for tile in numbers.tiles})
    across, up = edges([float(size) for size in sizes]), edges(rates)
    x_axis = alt.Axis(values=sizes, format="d", grid=False, labelOverlap=True)
    names = {rate: words.number(rate, 3) for rate in rates}
    shown = f"{{{', '.join(f'{rate!r}: {name!r}' for rate, name in names.items())}}}[datum.value]"
    y_axis = alt.Axis(values=rates, labelExpr=shown, grid=False)
    x_scale = alt.Scale(type="log", base=2, nice=False, domain=[across[sizes[0]][0], across[sizes[-1]][1]])
    y_scale = alt.Scale(type="log", nice=False, domain=[up[rates[0]][0], up[rates[-1]][1]])
    return alt.X("x:Q", title=None, scale=x_scale, axis=x_axis), alt.Y("y:Q", title=None, scale=y_scale, axis=y_axis)
