"""Numbers of the plots that lay curves over each other: one metric along training, a line for each arm of the sweep."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from batchlab_api.axis import Axis
from batchlab_api.plots import sizes, words
from batchlab_api.plots.arms import Arms, arms, point_of
from batchlab_api.plots.curves import ENOUGH, Floats, drawable, floats, interval, thin
from batchlab_api.plots.source import Row, Source
from batchlab_api.plots.spans import Span, span

MAX_VALUES = 6_000
"""Points of all lines of a plot together."""
MAX_POINTS, MIN_POINTS = 500, 40
"""Points of a line."""
MAX_LINES, MAX_PANELS = 12, 16
"""Lines in a panel beyond which they hide each other, and panels in a figure."""
MAX_NAMED = 6
"""Lines with names and not numbers: more of them are drawn in a panel each."""
WIDE, WIDE_LOSS = 30.0, 10.0
"""Positive values, and losses, that span more than this factor are drawn on a log axis."""
Steps = Literal["linear", "step-before", "step-after"]
"""Between two points: a straight line, the value of the later one, or that of the earlier one."""
AXES: Mapping[Axis, str] = {
    "step": "Update",
    "epoch": "Epoch",
    "examples": "Examples seen",
    "seconds": "Training time (s)",
}


@dataclass(frozen=True)
class Line:
    """A metric along training at one point of the sweep. All arrays have shape (points,)."""

    colour: str
    panel: str
    n: int
    """Seeds behind it, at the most."""
    x: Floats
    mean: Floats
    low: Floats
    """Lower end of the 95 % t interval; the mean itself below three seeds."""
    high: Floats
    diverged_at: int | None
    """The update whose loss was not finite."""


@dataclass(frozen=True)
class Lines:
    """All that a plot of lines shows."""

    title: str
    lines: tuple[str, ...]
    """The subtitle, to be wrapped."""
    unit: str
    x: Axis
    arms: Arms
    colours: tuple[str, ...]
    """Labels of the colours that are drawn, in order."""
    panels: tuple[str, ...]
    log: bool
    """Whether the values are on a log axis."""
    span: Span
    """What the x axes are."""
    steps: Steps
    single: bool
    """Whether each line has a panel of its own, over all the others in grey."""
    drawn: tuple[Line, ...]


def trace(source: Source, title: str, metric: str, unit: str, x: Axis) -> Lines:
    """Collect the lines of a metric along the axis `x`, seeds merged, with the 95 % t interval from three seeds on."""
    stairs = metric == "batch_size"
    points = (sizes.points if stairs else _points)(len(source.groups))
    read = source.curves([metric], points, x, "seed")
    read = [sizes.planned(series) for series in read] if stairs else read
    places = arms([point_of(s) for s in read], along="")
    found = [one for s in read if len((one := line(s, *places.place(point_of(s)))).x)]
    most = max((one.n for one in found), default=0)
    plain = all(np.array_equal(one.low, one.mean) for one in found)
    note = sizes.NOTE if stairs and plain else counted(most)
    steps: Steps = "step-before" if stairs else "linear"
    wide = WIDE_LOSS if metric.endswith("loss") else WIDE
    return frame(source, title, unit, x, places=places, found=found, note=note, steps=steps, wide=wide)


def counted(seeds: int) -> str:
    """How many seeds are behind the lines, and what their bands are."""
    return words.seeds([seeds], "95 % t interval as a band")


def frame(
    source: Source,
    title: str,
    unit: str,
    x: Axis,
    *,
    places: Arms,
    found: Sequence[Line],
    note: str,
    steps: Steps = "linear",
    wide: float = WIDE,
) -> Lines:
    """The lines with their subtitle, as many of them as can be told apart, on the axes that they need.

    `wide` is the factor from which on positive values take a log axis.
    """
    named = not places.ordered and len(places.panels) < 2
    extent, single = _span(found), named and len(places.colours) > MAX_NAMED
    if single:
        found = [replace(line, colour="", panel=words.joined(line.panel, line.colour)) for line in found]
    every = (("",), places.labels or places.colours) if single else (places.colours, places.panels)
    colours, panels = thin(every[0], MAX_LINES), thin(every[1], MAX_PANELS)
    chosen = [line for line in found if line.colour in colours and line.panel in panels]
    log = unit != "fraction" and _is_wide(chosen, wide)
    shown = [_positive(line) for line in chosen] if log else chosen
    lost = sum(len(before.x) - len(after.x) for before, after in zip(chosen, shown, strict=True))
    drawn = [_after_the_start(line) for line in shown] if extent == "log" else shown
    started = any(len(before.x) > len(after.x) for before, after in zip(shown, drawn, strict=True))
    notes = [
        note,
        "grey: the other lines" if single else "",
        _part(every[0], colours, "line"),
        _part(every[1], panels, "panel"),
        words.dropped(lost, "point"),
        "bands that reach zero are cut" if log and any(np.any(line.low <= 0) for line in chosen) else "",
        f"{AXES[x]} on a log axis, without the start at 0" if started else "",
    ]
    subtitle = (words.setting(source), *filter(None, notes), *words.missing(source.cells))
    kept = tuple(line for line in drawn if len(line.x))
    return Lines(title, subtitle, unit, x, places, colours, panels, log, extent, steps, single, kept)


def table(numbers: Lines) -> list[dict[str, Any]]:
    """One row a line: where it starts and ends, and its extremes."""
    return [
        {
            "line": words.joined(line.panel, line.colour),
            "n": line.n,
            "first": float(line.mean[0]),
            "last": float(line.mean[-1]),
            "lowest": float(np.min(line.mean)),
            "highest": float(np.max(line.mean)),
            "end": float(line.x[-1]),
            "diverged_at": line.diverged_at,
        }
        for line in numbers.drawn
    ]


def sentence(numbers: Lines) -> str:
    """What the plot shows, in one sentence."""
    rows = table(numbers)
    if not rows:
        return f"{numbers.title}: nothing to show."
    ends = rows if len(rows) <= 4 else [rows[0], rows[-1]]
    parts = [
        f"{row['line'] or 'it'} goes from {words.number(row['first'], 3)} to {words.number(row['last'], 3)}"
        for row in ends
    ]
    extent = f"{words.several(len(rows), 'line')}, {AXES[numbers.x].lower()} to {words.number(_end(rows))}"
    return f"{numbers.title}, {extent}: {'; '.join(parts)}."


def _end(rows: Sequence[Row]) -> float:
    return max(float(row["end"]) for row in rows)


def _points(series: int) -> int:
    return min(MAX_POINTS, max(MIN_POINTS, MAX_VALUES // max(series, 1)))


def line(series: Row, colour: str, panel: str) -> Line:
    """A series of `/curves`, seeds merged, as a line with its interval."""
    mean, x = floats(series["mean"]), floats(series["x"])
    low, high = interval(series, mean)
    cut = drawable(series)
    keep = np.isfinite(mean[cut]) & np.isfinite(x[cut])
    x, mean, low, high = (values[cut][keep] for values in (x, mean, low, high))
    n = max(series.get("n") or [1])
    return Line(colour, panel, n, x, mean, low, high, series["diverged_at"])


def _positive(line: Line) -> Line:
    """The line without the points that a log axis cannot show; an interval that reaches zero ends at the least mean."""
    keep = line.mean > 0
    x, mean, low, high = (values[keep] for values in (line.x, line.mean, line.low, line.high))
    least = float(np.min(mean)) if len(mean) else 1.0
    return replace(line, x=x, mean=mean, low=np.maximum(low, least / ENOUGH), high=high)


def _after_the_start(line: Line) -> Line:
    """The line without the points at 0, which a log x axis cannot show."""
    keep = line.x > 0
    x, mean, low, high = (values[keep] for values in (line.x, line.mean, line.low, line.high))
    return replace(line, x=x, mean=mean, low=low, high=high)


def _span(found: Sequence[Line]) -> Span:
    """The x axes for the lines that did not diverge: that one ended soon must not squeeze the others' axis."""
    ends: dict[str, list[float]] = defaultdict(list)
    for line in [line for line in found if line.diverged_at is None] or found:
        ends[line.panel].append(float(line.x[-1]))
    return span(ends)


def _is_wide(found: Sequence[Line], wide: float) -> bool:
    """Whether the means of the lines that did not diverge are positive, and span a wide range."""
    means = np.concatenate([line.mean for line in found if line.diverged_at is None] or [np.ones(1)])
    least = np.percentile(means, 1, method="lower")
    return bool(np.median(means) > 0 and least > 0 and np.max(means) > wide * least)


def _part(every: Sequence[str], shown: Sequence[str], noun: str) -> str:
    return f"{len(shown)} of {words.several(len(every), noun)} shown" if len(shown) < len(every) else ""
