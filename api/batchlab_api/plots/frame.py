"""What all charts share: data, title and subtitle, panels, legends, sizes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import altair as alt

from batchlab_api.plots import theme, words
from batchlab_api.plots.options import Options

SMALL = 5.7
"""Mean width of a character of the small type, in pixels."""
SPACING = 14
MARGIN = 46
"""Room for the y axis' title and ticks and for the figure's padding, in pixels."""
LEGEND_MARK = 36
"""Width of a legend's symbol and its gaps, in pixels."""
INDENT = 70
"""About how far from the figure's left edge the title starts, with the padding on the right, in pixels."""
STROKE: dict[str, Any] = {"symbolType": "stroke", "symbolSize": 320, "symbolStrokeWidth": 2, "symbolOpacity": 1}
"""A legend's symbol for a line without markers: a stroke with its dash."""
MARKER: dict[str, Any] = {"symbolDash": [1, 0], "symbolOpacity": 1, "symbolStrokeWidth": 0}
"""A legend's symbol for filled markers: in full colour, without the dashed outline that their lines would lend them."""
ROW_NAME = 18
"""Width of the name of a row beside it, in pixels."""


@dataclass(frozen=True)
class Style:
    """How lines are told apart: the same labels in colour, dash and shape."""

    labels: Sequence[str]
    ranges: dict[str, Sequence[Any]]
    field: str
    legend: alt.Legend | None
    dashed: bool = False
    """Whether the legend shows dashed strokes; else filled markers."""

    def of(self, *channels: str) -> dict[str, Any]:
        """Encodings of these of the channels color, strokeDash and shape."""
        return {name: self._channel(name) for name in channels}

    def _channel(self, name: str) -> Any:
        channel = {"color": alt.Color, "strokeDash": alt.StrokeDash, "shape": alt.Shape}[name]
        scale = alt.Scale(domain=list(self.labels), range=list(self.ranges[name]))
        hidden = name == "strokeDash" and not self.dashed
        return channel(self.field, scale=scale, legend=None if hidden else self.legend, title=None)


@dataclass(frozen=True)
class Grid:
    """Panels in rows and columns, with the titles of the axes once for all of them."""

    rows: Sequence[str]
    """Labels, one a row; empty texts for none."""
    columns: Sequence[str] | Sequence[list[str]]
    """Labels, likewise; each may be in lines."""
    x_title: str
    y_title: str | list[str]
    gap: int = SPACING
    """Between rows, in pixels."""


def style(
    field: str, labels: Sequence[str], *, ordered: bool, options: Options, legend: bool, dashed: bool = False
) -> Style:
    """The style of lines with these labels, in their order; `ordered` where they stand for numbers.

    The legend shows their markers or, for lines without markers, their dashes.
    """
    colours = theme.ramp if ordered else theme.names
    count = len(labels)
    ranges: dict[str, Sequence[Any]] = {
        "color": colours(count, options.theme),
        "strokeDash": theme.dashes(count),
        "shape": theme.shapes(count),
    }
    return Style(labels, ranges, field, _legend(labels, options, dashed) if legend else None, dashed)


def rows(values: Sequence[dict[str, Any]]) -> alt.InlineData:
    """Inline data."""
    return alt.InlineData(values=list(values))


def panel_width(options: Options, columns: int, labels: float, beside: float) -> int:
    """Width of a panel, so that the whole figure has the asked width.

    `labels` is the width of the y axis' tick labels; `beside` is what direct labels, a legend or names of rows take.
    """
    return max(60, int((options.pixels - MARGIN - labels - beside - (columns - 1) * SPACING) / columns))


def panel_height(options: Options, width: float, least: int = 80) -> int:
    """Height of a panel: as asked, or in proportion to its width."""
    return options.height or int(min(max(0.6 * width, least), 300))


def text_width(labels: Sequence[str]) -> float:
    """Width of the longest label, in pixels."""
    return max((words.width(label) for label in labels), default=0) * SMALL


def fit(title: str, length: float) -> str | list[str]:
    """An axis title on one line, or on two where the axis is too short for it."""
    return title if text_width([title]) <= length else words.wrap([title], max(int(length / SMALL), 12))


def legend_width(labels: Sequence[str], options: Options) -> float:
    """What the legend takes of the figure's width: nothing where it lies below."""
    return 0 if options.narrow or len(labels) < 2 else text_width(labels) + LEGEND_MARK


def _legend(labels: Sequence[str], options: Options, dashed: bool) -> alt.Legend:
    """Beside the panels, or below them in a narrow figure."""
    symbol = STROKE if dashed else MARKER
    if not options.narrow:
        return alt.Legend(orient="right", **symbol)
    columns = max(1, int(options.pixels / (text_width(labels) + LEGEND_MARK)))
    return alt.Legend(orient="bottom", columns=columns, **symbol)


def panels(chart: alt.LayerChart | alt.FacetChart, grid: Grid) -> alt.FacetChart:
    """The chart once for each pair of the fields `row` and `column`, which hold indices into the grid's labels."""
    row = alt.Header(titleOrient="left", labelOrient="right", titlePadding=-2, **_labelled(grid.rows))
    column = alt.Header(titleOrient="bottom", labelOrient="top", titlePadding=-6, **_labelled(grid.columns))
    faceted: alt.FacetChart = chart.facet(
        row=alt.Row("row:O", title=grid.y_title, header=row),
        column=alt.Column("column:O", title=grid.x_title, header=column),
        spacing={"row": grid.gap, "column": SPACING},
    )
    return faceted


def _labelled(labels: Sequence[str] | Sequence[list[str]]) -> dict[str, Any]:
    """Shows each index as its label. A list in JSON is a list in Vega's expressions too, whatever its texts hold."""
    return {"labelExpr": f"{json.dumps(labels)}[datum.value]"} if any(labels) else {"labels": False}


def finish(chart: Any, title: str, lines: Sequence[str], description: str, options: Options) -> alt.TopLevelMixin:
    """Title, wrapped subtitle, text for screen readers and theme."""
    if options.bare:
        bare: alt.TopLevelMixin = chart.properties(description=description).configure(**theme.config(options.theme))
        return bare
    columns = int((options.pixels - INDENT) / SMALL)
    heading = alt.TitleParams(words.wrap([title], int(columns * 0.75)), subtitle=words.wrap(lines, columns))
    finished: alt.TopLevelMixin = chart.properties(title=heading, description=description)
    return finished.configure(**theme.config(options.theme))  # type: ignore[no-any-return]


def empty(title: str, lines: Sequence[str], description: str, options: Options) -> alt.TopLevelMixin:
    """A frame that says that there is nothing to show, with the reasons in its subtitle."""
    text = alt.Chart(rows([{"text": "Nothing to show"}])).mark_text(fontSize=13, color=theme.FAINT[options.theme])
    width = panel_width(options, 1, 0, 0)
    sized = text.encode(text="text:N").properties(width=width, height=panel_height(options, width) // 2)
    return finish(sized, title, lines, description, options)


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Positions as near to the wanted ones as keeping `gap` between neighbours allows (moved upwards only)."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = list(wanted)
    for below, here in pairwise(order):
        placed[here] = max(placed[here], placed[below] + gap)
    return placed
