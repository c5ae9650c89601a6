"""Draws curves over each other: a colour and a dash for each line, its interval as a band, panels for a second axis."""

from dataclasses import dataclass

import altair as alt
import numpy as np

from batchlab_api.plots import axes, frame, theme
from batchlab_api.plots.curves_chart import CROSS, background, short
from batchlab_api.plots.lines import AXES, Line, Lines, sentence
from batchlab_api.plots.options import Options

ARRAYS = ("x", "mean", "low", "high", "diverged")
"""Fields of a line's datum with an entry for each point."""
MANY = 10_000
"""From here on an x axis counts in thousands: 20k."""
FEW_PANELS = 6
"""Up to so many panels are large."""
WIDE_ROW, FULL_ROW, NARROW_ROW = 3, 4, 2
"""Panels beside each other: few and many in a wide figure, many in a narrow one."""
RIM = 0.015
"""Beyond 0 and 1 on an axis of fractions: a line along its edge would be cut to half its width."""
BEYOND = 30.0
"""A log axis ends at this many times the highest value of the lines that did not diverge, where others did."""
OWN_AXIS = 18
"""Height of the tick labels of an x axis that each panel has, in pixels."""


@dataclass(frozen=True)
class Layout:
    """Where the panels are; sizes in pixels."""

    columns: int
    rows: int
    width: int
    height: int


def draw(numbers: Lines, y_title: str, options: Options) -> alt.TopLevelMixin:
    """The chart; the unit is added to `y_title` unless the values have none."""
    said = sentence(numbers)
    if not numbers.drawn:
        return frame.empty(numbers.title, numbers.lines, said, options)
    layout = _layout(numbers, options)
    layers = alt.layer(*_layers(numbers, layout, options), data=frame.rows(_data(numbers, layout)))
    panel = layers.properties(width=layout.width, height=layout.height).transform_flatten(flatten=list(ARRAYS))
    titled = y_title if numbers.unit == "dimensionless" else f"{y_title} ({numbers.unit})"
    gap = frame.SPACING + 12 * (len(numbers.panels) > 1) + OWN_AXIS * (numbers.span == "own")
    grid = frame.Grid([""] * layout.rows, [""] * layout.columns, AXES[numbers.x], titled, gap)
    chart = frame.panels(panel, grid)
    if numbers.span == "own":
        chart = chart.resolve_scale(x="independent").resolve_axis(x="independent")
    return frame.finish(chart, numbers.title, numbers.lines, said, options)


def _layout(numbers: Lines, options: Options) -> Layout:
    count = len(numbers.panels)
    columns = min(count, _columns(count, options))
    labels = axes.label_width(_domain(numbers), log=numbers.log)
    width = frame.panel_width(options, columns, labels, frame.legend_width(numbers.colours, options))
    least = 150 if count <= FEW_PANELS else 80
    return Layout(columns, -(-count // columns), width, frame.panel_height(options, width, least))


def _columns(count: int, options: Options) -> int:
    if count <= FEW_PANELS:
        return 1 if options.narrow else 2 if count == 4 else WIDE_ROW
    return NARROW_ROW if options.narrow else FULL_ROW


def _layers(numbers: Lines, layout: Layout, options: Options) -> list[alt.Chart]:
    legend = len(numbers.colours) > 1
    style = frame.style(
        "line:N", numbers.colours, ordered=numbers.arms.ordered, options=options, legend=legend, dashed=True
    )
    domain, ink = _domain(numbers), theme.INK[options.theme]
    y = {
        name: axes.value_axis(f"{name}:Q", domain, layout.height, log=numbers.log)
        for name in ("low", "mean", "diverged")
    }
    base = alt.Chart().encode(x=_x_axis(numbers, layout))
    layers = [
        *([_others(numbers, options)] if numbers.single else []),
        base.mark_area(opacity=0.22, clip=True).encode(y=y["low"], y2="high:Q", **style.of("color")),
        base.mark_line(strokeWidth=1.6, clip=True, interpolate=numbers.steps).encode(
            y=y["mean"], **style.of("color", "strokeDash")
        ),
        base.transform_filter("isValid(datum.diverged)")
        .mark_point(shape=CROSS, size=70, strokeWidth=2)
        .encode(y=y["diverged"], **style.of("color")),
    ]
    return [*layers, *_names(ink, layout)] if len(numbers.panels) > 1 else layers


def _x_axis(numbers: Lines, layout: Layout) -> alt.X:
    """From 0 to the end of the longest line, in each panel or in all; on a log axis from the first point on."""
    end = max(float(line.x[-1]) for line in numbers.drawn)
    if numbers.span == "log":
        return axes.log_across("x:Q", (min(float(line.x[0]) for line in numbers.drawn), end), layout.width)
    own = numbers.span == "own"
    scale = alt.Scale(domainMin=0, nice=False) if own else alt.Scale(domain=[0, end], nice=False)
    ticks = 4 if len(numbers.panels) <= FEW_PANELS else 3
    axis = alt.Axis(tickCount=ticks, grid=False, format="~s" if end >= MANY else "~f")
    return alt.X("x:Q", title=None, scale=scale, axis=axis)


def _others(numbers: Lines, options: Options) -> alt.Chart:
    """The means of all lines, behind the one of each panel."""
    return background([(line.x, line.mean) for line in numbers.drawn], options, interpolate=numbers.steps)


def _names(ink: str, layout: Layout) -> list[alt.Chart]:
    """The name of each panel above it, as much of it as there is room for."""
    text = alt.Chart().mark_text(align="left", baseline="bottom", fontSize=11, color=ink, limit=layout.width)
    named = text.encode(x=alt.value(0), y=alt.value(-4), text="min(panel):N")
    return [named]


def _data(numbers: Lines, layout: Layout) -> list[dict[str, object]]:
    domain = _domain(numbers)
    return [_datum(line, numbers, layout, domain) for line in numbers.drawn]


def _datum(line: Line, numbers: Lines, layout: Layout, domain: axes.Domain) -> dict[str, object]:
    """A line with its arrays, which the chart flattens; `diverged` at the last point of one that did."""
    row, column = divmod(numbers.panels.index(line.panel), layout.columns)
    end = float(np.clip(line.mean[-1], *domain))
    return {
        "line": line.colour,
        "panel": line.panel,
        "row": row,
        "column": column,
        "x": short(line.x),
        "mean": short(line.mean),
        "low": short(np.maximum(line.low, max(domain[0], 0.0) if numbers.unit == "fraction" else domain[0])),
        "high": short(np.minimum(line.high, 1.0) if numbers.unit == "fraction" else line.high),
        "diverged": [*[None] * (len(line.x) - 1), end if line.diverged_at is not None else None],
    }


def _domain(numbers: Lines) -> axes.Domain:
    """The range of the means, with their intervals where these are not far wider; diverged lines do not stretch it, or
    only so far on a log axis that they are seen to leave it.
    """
    tame = [line for line in numbers.drawn if line.diverged_at is None] or numbers.drawn
    means = np.concatenate([line.mean for line in tame])
    low, high = float(np.min(means)), float(np.max(means))
    if numbers.log:
        wildest = max(
            (float(np.nanmax(line.mean)) for line in numbers.drawn if line.diverged_at is not None), default=high
        )
        return axes.log_domain([low, max(high, min(wildest, BEYOND * high))])
    bands = np.concatenate([np.clip(band, 2 * low - high, 2 * high - low) for t in tame for band in (t.low, t.high)])
    bottom, top = axes.linear_domain([low, high, float(np.min(bands)), float(np.max(bands))])
    return (max(bottom, -RIM), min(top, 1 + RIM)) if numbers.unit == "fraction" else (bottom, top)
