"""Numbers of the plots that lay curves over each other: one metric along training, a line for each arm of the sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from batchlab_api.axis import Axis
from batchlab_api.plots import words
from batchlab_api.plots.arms import Arms, arms, point_of
from batchlab_api.plots.curves import ENOUGH, Floats, drawable, floats, interval, thin
from batchlab_api.plots.source import Row, Source

MAX_VALUES = 6_000
"""Points of all lines of a plot together."""
MAX_POINTS, MIN_POINTS = 500, 40
"""Points of a line."""
MAX_LINES, MAX_PANELS = 12, 6
"""Lines in a panel beyond which they hide each other, and panels in a figure."""
WIDE = 30.0
"""Positive values that span more than this factor are drawn on a log axis."""
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
    drawn: tuple[Line, ...]


def trace(source: Source, title: str, metric: str, unit: str, x: Axis) -> Lines:
    """Collect the lines of a metric along the axis `x`, seeds merged, with the 95 % t interval from three seeds on."""
    read = source.curves([metric], _points(len(source.groups)), x, "seed")
    places = arms([point_of(s) for s in read], along="")
    found = [one for s in read if len((one := line(s, *places.place(point_of(s)))).x)]
    most = max((one.n for one in found), default=0)
    return frame(source, title, unit, x, places=places, found=found, note=counted(most))


def counted(seeds: int) -> str:
    """How many seeds are behind the lines, and what their bands are."""
    return words.seeds([seeds], "95 % t interval as a band")


def frame(source: Source, title: str, unit: str, x: Axis, *, places: Arms, found: Sequence[Line], note: str) -> Lines:
    """The lines with their subtitle, as many of them as can be told apart, on the axis that they need."""
    colours = thin(places.colours, MAX_LINES)
    panels = thin(places.panels, MAX_PANELS)
    chosen = [line for line in found if line.colour in colours and line.panel in panels]
    log = _is_wide(chosen)
    shown = [_positive(line) for line in chosen] if log else chosen
    lost = sum(len(before.x) - len(after.x) for before, after in zip(chosen, shown, strict=True))
    notes = [
        note,
        _part(places.colours, colours, "line"),
        _part(places.panels, panels, "panel"),
        words.dropped(lost, "point"),
    ]
    subtitle = (words.setting(source), *filter(None, notes), *words.missing(source.cells))
    return Lines(title, subtitle, unit, x, places, colours, panels, log, tuple(line for line in shown if len(line.x)))


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
    return Line(line.colour, line.panel, line.n, x, mean, np.maximum(low, least / ENOUGH), high, line.diverged_at)


def _is_wide(found: Sequence[Line]) -> bool:
    """Whether the means of the lines that did not diverge are positive, and span a wide range."""
    means = np.concatenate([line.mean for line in found if line.diverged_at is None] or [np.ones(1)])
    return bool(np.median(means) > 0 and np.percentile(means, 1) > 0 and np.max(means) > WIDE * np.percentile(means, 1))


def _part(every: Sequence[str], shown: Sequence[str], noun: str) -> str:
    return f"{len(shown)} of {words.several(len(every), noun)} shown" if len(shown) < len(every) else ""
