"""Draws results by variant: a row each, seeds as small dots, the mean with its 95 % interval."""

from dataclasses import dataclass

import altair as alt

from batchlab_api.plots import axes, frame, theme
from batchlab_api.plots.by_axis import ByAxis, Point, sentence
from batchlab_api.plots.by_axis_chart import scaled, value_domain
from batchlab_api.plots.options import Options

LEAST_ROW, LINE_ROOM = 26, 13
"""Height of a variant's row, and what each of its lines needs, in pixels."""
WIDE_LETTERS = 1.25
"""How much wider than others a name of wide letters is."""
NAME_SHARE = 0.4
"""Of the figure's width, at the most, for the names of the variants."""
TICK_SHARE = 0.35
"""A tick of a horizontal axis needs more room than one of a vertical axis."""

FIELDS = ("low", "seed", "mean")
"""What is drawn: from the lower end of an interval, a seed's own value, the mean."""


@dataclass(frozen=True)
class Layout:
    """What takes the colour, what makes columns of panels, and how large a panel is, in pixels."""

    lines: tuple[str, ...]
    ordered: bool
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    names: int
    """Width of the names."""
    width: int
    height: int


def draw(numbers: ByAxis, x_title: str, options: Options) -> alt.TopLevelMixin:
    """The chart; the unit is added to `x_title`."""
    said = sentence(numbers)
    if not numbers.points:
        return frame.empty(numbers.title, numbers.lines, said, options)
    numbers, unit = scaled(numbers)
    layout, domain = _layout(numbers, options), value_domain(numbers)
    data = frame.rows([datum for p in numbers.points for datum in _data(p, layout, domain)])
    panel = alt.layer(*_marks(numbers, layout, domain, options), data=data, width=layout.width, height=layout.height)
    chart = frame.panels(panel, frame.Grid(layout.rows, layout.columns, f"{x_title} ({unit})", ""))
    return frame.finish(chart, numbers.title, numbers.lines, said, options)


def _layout(numbers: ByAxis, options: Options) -> Layout:
    """A line in each row for each quantity; with several arms one for each arm, and a column for each quantity."""
    arms = numbers.arms
    split = len(arms.colours) > 1
    lines, columns = (arms.colours, numbers.quantities) if split else (numbers.quantities, ("",))
    columns = columns if len(columns) > 1 else ("",)
    names = int(min(WIDE_LETTERS * frame.text_width(numbers.xs), NAME_SHARE * options.pixels))
    beside = frame.legend_width(lines, options) + frame.ROW_NAME * (len(arms.panels) > 1)
    width = frame.panel_width(options, len(columns), names, beside)
    height = options.height or len(numbers.xs) * max(LEAST_ROW, LINE_ROOM * len(lines))
    return Layout(lines, split and arms.ordered, columns, arms.panels, names, width, height)


def _data(p: Point, layout: Layout, domain: axes.Domain) -> list[dict[str, object]]:
    """A point as the chart's data, and each of its seeds; an interval is cut where the axis ends."""
    place = {
        "variant": p.x,
        "line": p.colour if p.colour in layout.lines else p.quantity,
        "column": layout.columns.index(p.quantity) if len(layout.columns) > 1 else 0,
        "row": layout.rows.index(p.panel),
    }
    low = None if p.low is None else max(p.low, domain[0])
    high = None if p.high is None else min(p.high, domain[1])
    return [
        place | {"mean": p.mean, "low": low, "high": high, "n": p.n},
        *(place | {"seed": value} for value in p.seeds if domain[0] <= value <= domain[1]),
    ]


def _marks(numbers: ByAxis, layout: Layout, domain: axes.Domain, options: Options) -> list[alt.Chart]:
    legend = len(layout.lines) > 1
    style = frame.style("line:N", layout.lines, ordered=layout.ordered, options=options, legend=legend)
    names = alt.Axis(labelLimit=layout.names, ticks=False, domain=False, grid=True)
    y = alt.Y("variant:N", title=None, sort=list(numbers.xs), axis=names)
    base = alt.Chart().encode(y=y)
    if legend:
        base = base.encode(yOffset=alt.YOffset("line:N", sort=list(layout.lines)))
    at = {name: axes.across(f"{name}:Q", domain, layout.width * TICK_SHARE, log=numbers.log) for name in FIELDS}
    tooltip = ["variant:N", "line:N", alt.Tooltip("mean:Q", format=".4g"), "low:Q", "high:Q", "n:Q"]
    return [
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=1.6)
        .encode(x=at["low"], x2="high:Q", **style.of("color")),
        base.transform_filter("isValid(datum.seed)")
        .mark_circle(size=12, opacity=0.75, color=theme.FAINT[options.theme])
        .encode(x=at["seed"]),
        base.transform_filter("isValid(datum.mean)")
        .mark_point(size=55, filled=True, opacity=1)
        .encode(x=at["mean"], tooltip=tooltip, **style.of("color", "shape")),
    ]
