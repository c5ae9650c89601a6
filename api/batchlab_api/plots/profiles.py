"""Lines that analyses have found, over each other: losses along a line or a path, densities of eigenvalues.

A panel for each place in the sweep; in it the lines of each seed thinly, and the mean of them where they share their x.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from batchlab_api.plots import found, frame, theme, words
from batchlab_api.plots.found import Found
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot
from batchlab_api.plots.source import Row, Source

Floats = NDArray[np.float64]
MOST_PANELS = 6
LEAST = 1e-6
"""Below this nothing is shown on a log axis."""


@dataclass(frozen=True)
class Line:
    """One line of one analysis."""

    row: str
    panel: str
    name: str
    seeds: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Profiles:
    """All that such a plot shows."""

    title: str
    lines: tuple[str, ...]
    """The subtitle, to be wrapped."""
    rows: tuple[str, ...]
    """Titles of the y axes, one a row."""
    panels: tuple[str, ...]
    names: tuple[str, ...]
    drawn: tuple[Line, ...]


@dataclass(frozen=True)
class Series:
    """Which array is drawn: its row, its name in the legend, the arrays of x and y."""

    row: str
    name: str
    x: str
    y: str


@dataclass(frozen=True)
class ProfilePlot(Plot[Profiles]):
    """Lines of one kind of analysis."""

    name: str
    title: str
    description: str
    kind: str
    series: tuple[Series, ...]
    x_title: str
    log: tuple[str, ...] = ()
    """Rows with a log axis."""
    note: Callable[[Sequence[Found]], str] = lambda _: ""
    """A line of the subtitle."""
    marked: tuple[float, ...] = ()
    """Where solutions lie along x."""

    def applies(self, experiment: Row) -> bool:
        return found.has(experiment, self.kind)

    def numbers(self, source: Source) -> Profiles:
        places = found.by_place([one for one in found.of_kind(source, self.kind) if self._lines("", one)])
        shown = dict(list(places.items())[:MOST_PANELS])
        drawn = [line for panel, some in shown.items() for one in some for line in self._lines(panel, one)]
        every = [one for some in shown.values() for one in some]
        left = len(places) - len(shown)
        notes = [self.note(every), _counted([len(some) for some in shown.values()]),
                 f"{words.several(left, 'more place')} not shown" if left else ""]  # fmt: skip
        there = {line.row for line in drawn}
        rows = tuple(dict.fromkeys(s.row for s in self.series if s.row in there))
        names = tuple(dict.fromkeys(s.name for s in self.series))
        subtitle = (words.setting(source), *filter(None, notes))
        return Profiles(self.title, subtitle, rows, tuple(shown), names, tuple(drawn))

    def _lines(self, panel: str, one: Found) -> list[Line]:
        seeds = ", ".join(map(str, one.seeds))
        return [
            Line(s.row, panel, s.name, seeds, tuple(map(float, one.arrays[s.x])), tuple(map(float, one.arrays[s.y])))
            for s in self.series
            if s.y in one.arrays and one.arrays[s.y].ndim == 1
        ]

    def chart(self, numbers: Profiles, options: Options) -> alt.TopLevelMixin:
        said = self.summary(numbers)
        if not numbers.drawn:
            return frame.empty(numbers.title, numbers.lines, said, options)
        rows = [self._row(numbers, row, options) for row in numbers.rows]
        chart = alt.vconcat(*rows, spacing=12).resolve_scale(color="shared", strokeDash="shared")
        return frame.finish(chart, numbers.title, numbers.lines, said, options)

    def _row(self, numbers: Profiles, row: str, options: Options) -> alt.HConcatChart:
        columns = len(numbers.panels)
        legend = frame.legend_width(numbers.names, options)
        width = frame.panel_width(options, columns, 34 * columns, legend)
        height = frame.panel_height(options, width, 110)
        domain = _domain([line for line in numbers.drawn if line.row == row], log=row in self.log)
        panels = [
            self._panel(numbers, row, panel, domain, options).properties(
                width=width, height=height, title=alt.TitleParams(panel, fontSize=11, fontWeight="normal", offset=4)
            )
            for panel in numbers.panels
        ]
        return alt.hconcat(*panels, spacing=frame.SPACING)

    def _panel(self, numbers: Profiles, row: str, panel: str, domain: tuple[float, float], options: Options) -> Any:
        own = [line for line in numbers.drawn if (line.row, line.panel) == (row, panel)]
        log = row in self.log
        scale = alt.Scale(type="log" if log else "linear", domain=list(domain), nice=not log, clamp=True)
        first, last = panel == numbers.panels[0], row == numbers.rows[-1]
        y = alt.Y("y:Q", title=row if first else None, scale=scale, axis=alt.Axis(tickCount=4, grid=True))
        x_axis = alt.Axis(tickCount=5, grid=False)
        x = alt.X("x:Q", title=self.x_title if last else None, scale=alt.Scale(nice=False), axis=x_axis)
        style = frame.style(
            "line:N", numbers.names, ordered=False, options=options, legend=len(numbers.names) > 1, dashed=True
        )
        thin = alt.Chart(frame.rows(_data(own, domain))).mark_line(strokeWidth=0.8, opacity=0.35, clip=True)
        thick = alt.Chart(frame.rows(_data(_means(own), domain))).mark_line(strokeWidth=1.8, clip=True)
        return alt.layer(
            thin.encode(x=x, y=y, detail="seeds:N", **style.of("color", "strokeDash")),
            thick.encode(x=x, y=y, **style.of("color", "strokeDash")),
            *self._marks(options),
        )

    def _marks(self, options: Options) -> list[alt.Chart]:
        """Where the solutions are."""
        if not self.marked:
            return []
        ends = alt.Chart(frame.rows([{"x": x} for x in self.marked]))
        return [ends.mark_rule(strokeDash=[2, 3], color=theme.FAINT[options.theme], opacity=0.7).encode(x="x:Q")]

    def summary(self, numbers: Profiles) -> str:
        if not numbers.drawn:
            return f"{numbers.title}: nothing to show."
        parts = [
            f"{line.name} {line.row.lower()} in {line.panel or 'all cells'} between {words.number(min(line.y), 3)} and "
            f"{words.number(max(line.y), 3)}"
            for line in _means(numbers.drawn)[:6]
        ]
        return f"{numbers.title}: {'; '.join(parts)}."

    def rows(self, numbers: Profiles) -> list[dict[str, Any]]:
        return [
            {"quantity": line.row, "place": line.panel, "line": line.name, "seeds": line.seeds, "x": x, "y": y}
            for line in numbers.drawn
            for x, y in zip(line.x, line.y, strict=True)
        ]


def _means(lines: Sequence[Line]) -> list[Line]:
    """The mean over seeds of lines that share their x; a line that is alone stands for itself."""
    grouped: dict[tuple[str, str, str], list[Line]] = {}
    for line in lines:
        grouped.setdefault((line.row, line.panel, line.name), []).append(line)
    means = []
    for (row, panel, name), some in grouped.items():
        if len({line.x for line in some}) == 1:
            mean = np.mean([line.y for line in some], axis=0)
            means.append(Line(row, panel, name, "mean", some[0].x, tuple(mean.tolist())))
    return means


def _domain(lines: Sequence[Line], *, log: bool) -> tuple[float, float]:
    """The range of the values: far ends of a line must not flatten all that is between."""
    values = np.array([y for line in lines for y in line.y])
    values = values[np.isfinite(values)]
    if not values.size:
        return (LEAST, 1.0)
    if log:
        return max(float(values.min()), LEAST, float(values.max()) * 1e-8), float(max(values.max(), 10 * LEAST))
    return float(min(values.min(), 0.0)), float(values.max())


def _data(lines: Sequence[Line], domain: tuple[float, float]) -> list[dict[str, Any]]:
    return [
        {"line": line.name, "seeds": line.seeds, "x": x, "y": max(y, domain[0])}
        for line in lines
        for x, y in zip(line.x, line.y, strict=True)
        if np.isfinite(y)
    ]


def _counted(counts: Sequence[int]) -> str:
    """How many lines each panel has."""
    if not counts:
        return ""
    low, high = min(counts), max(counts)
    number = f"{low} to {high} analyses" if low < high else f"{high} analyses" if high > 1 else "1 analysis"
    return number if high == 1 else f"{number}: each thinly, their mean in bold"


def _rows_of(every: Sequence[Found]) -> str:
    rows = [int(one.meta["rows"]) for one in every if "rows" in one.meta]
    return f"losses over {words.several(max(rows), 'row')}" if rows else ""


def _barriers(every: Sequence[Found]) -> str:
    if not every:
        return ""
    straight, bent = (float(np.mean([one.values[k] for one in every])) for k in ("straight_barrier", "barrier"))
    return f"mean barrier: straight {words.number(straight, 3)}, path {words.number(bent, 3)}"


PLOTS = (
    ProfilePlot(
        name="interpolation",
        title="On the line through two solutions",
        description="Loss and accuracy on the straight line (or an arc) through two trained cells, which lie at t = 0 "
        "and t = 1, on training and on validation rows.",
        kind="interpolation",
        series=(
            Series("Loss", "training", "t", "loss"),
            Series("Loss", "validation", "t", "val_loss"),
            Series("Accuracy", "training", "t", "accuracy"),
            Series("Accuracy", "validation", "t", "val_accuracy"),
        ),
        x_title="t (0: first solution, 1: second)",
        log=("Loss",),
        note=_rows_of,
        marked=(0.0, 1.0),
    ),
    ProfilePlot(
        name="connecting-path",
        title="From one solution to another: straight, and along a trained path",
        description="Training loss along the straight line between two solutions, and along the curve that was trained "
        "to keep it low.",
        kind="connecting_path",
        series=(
            Series("Training loss", "straight line", "t", "straight_loss"),
            Series("Training loss", "trained path", "t", "loss"),
        ),
        x_title="t (0: first solution, 1: second)",
        note=_barriers,
        marked=(0.0, 1.0),
    ),
    ProfilePlot(
        name="landscape-line",
        title="The loss along one direction from the solutions",
        description="Training loss on the line of a random direction, scaled filter by filter, through the last "
        "weights of each cell (a landscape of one dimension).",
        kind="landscape",
        series=(Series("Training loss", "training", "x", "loss"), Series("Accuracy", "training", "x", "accuracy")),
        x_title="Distance along the direction, in units of its length",
        log=("Training loss",),
        note=_rows_of,
        marked=(0.0,),
    ),
    ProfilePlot(
        name="spectral-density",
        title="Density of the curvature's eigenvalues",
        description="Density of the eigenvalues of the curvature at the end of training, by stochastic Lanczos "
        "quadrature.",
        kind="spectral_density",
        series=(Series("Density", "density", "grid", "density"),),
        x_title="Eigenvalue",
        log=("Density",),
    ),
)
