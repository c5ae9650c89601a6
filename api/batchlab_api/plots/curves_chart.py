"""Draws a metric over training: a panel for each batch size, with its band, over all the others in grey."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from batchlab_api.plots import axes, frame, theme
from batchlab_api.plots.curves import Curve, Curves, Floats, grey, sentence
from batchlab_api.plots.options import Options

WIDE, NARROW = 4, 2
"""Panels beside each other in a wide and in a narrow figure."""
ROW_SPACING = 26
"""Room for the name of a panel above it, in pixels."""
GREY_POINTS = 40
"""Points of a curve in the background."""
ARRAYS = ("x", "mean", "low", "high", "name", "diverged")
"""Fields of a curve's datum with an entry for each point."""
OWN_AXIS = 16
"""Room for the tick labels of an x axis that each panel has, in pixels."""
CROSS = "M-1,-1L1,1M1,-1L-1,1"


@dataclass(frozen=True)
class Layout:
    """Where the panels are; sizes in pixels."""

    rows: tuple[str, ...]
    """Labels of the rows."""
    columns: int
    named_rows: bool
    """Whether a row is an arm, named beside it; else the panels run on from row to row."""
    width: int
    height: int

    def place(self, numbers: Curves, index: int) -> tuple[int, int]:
        """Row and column of the panel of a curve."""
        curve = numbers.curves[index]
        if self.named_rows:
            return self.rows.index(curve.line), numbers.batch_sizes.index(curve.batch_size)
        return divmod(index if numbers.sparse else numbers.batch_sizes.index(curve.batch_size), self.columns)


def draw(numbers: Curves, y_title: str, options: Options) -> alt.TopLevelMixin:
    """The chart: panels by batch size; a row for each arm where there are several."""
    if not numbers.curves:
        return frame.empty(numbers.title, numbers.lines, sentence(numbers), options)
    layout = _layout(numbers, options)
    chart = alt.layer(*_layers(numbers, layout, options), data=frame.rows(_data(numbers, layout)))
    panel = chart.properties(width=layout.width, height=layout.height).transform_flatten(flatten=list(ARRAYS))
    own = numbers.span == "own"
    grid = frame.Grid(layout.rows, [""] * layout.columns, "Epoch", y_title, ROW_SPACING + OWN_AXIS * own)
    faceted = frame.panels(panel, grid)
    faceted = faceted.resolve_scale(x="independent").resolve_axis(x="independent") if own else faceted
    return frame.finish(faceted, numbers.title, numbers.lines, sentence(numbers), options)


def _layout(numbers: Curves, options: Options) -> Layout:
    named = len(numbers.arms) > 1 and not numbers.sparse
    count = len(numbers.curves) if numbers.sparse else len(numbers.batch_sizes)
    rows = 1 if named else -(-count // (NARROW if options.narrow else WIDE))
    columns = -(-count // rows)
    labels = axes.label_width(_domain(numbers), log=True)
    width = frame.panel_width(options, columns, labels, frame.ROW_NAME if named else 0)
    height = frame.panel_height(options, width)
    return Layout(numbers.arms if named else ("",) * rows, columns, named, width, height)


def _layers(numbers: Curves, layout: Layout, options: Options) -> list[alt.Chart]:
    names = [_batch(size) for size in numbers.batch_sizes]
    colour = frame.style("batch:N", names, ordered=True, options=options, legend=False).of("color")
    ink, faint = theme.INK[options.theme], theme.FAINT[options.theme]
    end = max(float(c.x[-1]) for c in numbers.curves)
    has_grey = grey(numbers.curves, numbers.arms, numbers.span, sparse=numbers.sparse)
    scale = alt.Scale(domainMin=0, nice=False) if numbers.span == "own" else alt.Scale(domain=[0, end], nice=False)
    x = alt.X("x:Q", title=None, scale=scale, axis=alt.Axis(tickCount=3, grid=False))
    y = axes.value_axis("mean:Q", _domain(numbers), layout.height, log=True)
    base = alt.Chart().encode(x=x)
    return [
        *([background([(c.x, c.mean) for c in numbers.curves], options)] if has_grey else []),
        base.mark_area(opacity=0.35, clip=True).encode(y=alt.Y("low:Q"), y2="high:Q", **colour),
        base.mark_line(strokeWidth=1.6, clip=True).encode(y=y, **colour),
        base.transform_filter("isValid(datum.diverged)")
        .mark_point(shape=CROSS, size=70, strokeWidth=2, color=ink)
        .encode(y="diverged:Q"),
        alt.Chart()
        .transform_filter("isValid(datum.name)")
        .mark_text(align="left", baseline="bottom", fontSize=11, color=faint, limit=layout.width)
        .encode(x=alt.value(0), y=alt.value(-4), text="name:N"),
    ]


def background(means: Sequence[tuple[Floats, Floats]], options: Options, **look: Any) -> alt.Chart:
    """All lines (x and mean of each) in grey, for comparison: not split by panel, since its data are its own."""
    data = [{"of": i, "x": _thinned(x), "mean": _thinned(mean)} for i, (x, mean) in enumerate(means)]
    lines = alt.Chart(frame.rows(data)).transform_flatten(["x", "mean"])
    grey_line: alt.Chart = lines.mark_line(strokeWidth=0.6, clip=True, color=theme.GHOST[options.theme], **look)
    return grey_line.encode(x="x:Q", y="mean:Q", detail="of:N")


def _data(numbers: Curves, layout: Layout) -> list[dict[str, object]]:
    """One datum a curve with its arrays, which the chart flattens: half the bytes of rows."""
    domain = _domain(numbers)
    return [_datum(c, layout.place(numbers, i), domain, numbers) for i, c in enumerate(numbers.curves)]


def _datum(curve: Curve, place: tuple[int, int], domain: axes.Domain, numbers: Curves) -> dict[str, object]:
    """`name` is at the first point only, `diverged` at the last of a curve that did, within the axis."""
    rest = [None] * (len(curve.x) - 1)
    name = numbers.name(curve) if numbers.sparse else _batch(curve.batch_size)
    return {
        "batch": _batch(curve.batch_size),
        "row": place[0],
        "column": place[1],
        "x": short(curve.x),
        "mean": short(curve.mean),
        "low": short(np.maximum(curve.low, domain[0])),
        "high": short(curve.high),
        "name": [name, *rest],
        "diverged": [*rest, None if curve.diverged_at is None else min(float(curve.mean[-1]), domain[1])],
    }


def _domain(numbers: Curves) -> axes.Domain:
    """The range of the curves, from the floor of the bands; diverged ones do not stretch it unless all did."""
    tame = [c for c in numbers.curves if c.diverged_at is None] or numbers.curves
    return axes.log_domain(float(v) for c in tame for v in (np.max([np.min(c.low), numbers.floor]), np.max(c.high)))


def _thinned(values: Floats) -> list[float]:
    """As many of the values as a curve in the background needs."""
    return short(values[np.unique(np.linspace(0, len(values) - 1, GREY_POINTS).round().astype(int))])


def short(values: Floats) -> list[float]:
    """Six significant digits: finer than a pixel, and half the bytes."""
    return [float(f"{value:.6g}") for value in values]


def _batch(batch_size: int) -> str:
    return f"batch {batch_size}"
