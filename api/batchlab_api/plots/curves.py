"""Numbers of the plots over training: one metric against the epoch, by batch size, seeds merged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from batchlab_api.plots import words
from batchlab_api.plots.arms import Arms, arms, point_of
from batchlab_api.plots.source import Row, Source
from batchlab_api.plots.spans import Span, span

Floats = NDArray[np.float64]
Band = Literal["extremes", "interval"]
T = TypeVar("T")

MAX_VALUES = 4_000
"""Points of all curves of a plot together: what is drawn in well under a second."""
MAX_POINTS, MIN_POINTS = 400, 24
"""Points a curve: no panel has more pixels; below the least a curve has no shape."""
MAX_PANELS = 16
MAX_COLUMNS, MAX_ROWS = 4, 6
"""Batch sizes beside each other where learning rates or variants make further rows, and those rows."""
FULL = 0.75
"""Below this share of all pairs of arm and batch size, a table of panels would have too many empty places."""
ENOUGH = 3
"""Seeds from which on an interval is drawn."""
FLOOR = 50.0
"""A band is cut this factor below the least mean."""


@dataclass(frozen=True)
class Curve:
    """A metric over training at one point of the sweep. All arrays have shape (points,); nan where nothing is."""

    batch_size: int
    line: str
    n: int
    """Seeds behind it, at the most."""
    x: Floats
    """Epochs."""
    mean: Floats
    low: Floats
    """Lower edge of the band."""
    high: Floats
    diverged_at: int | None
    """The update whose loss was not finite."""


@dataclass(frozen=True)
class Curves:
    """All that a plot over training shows."""

    title: str
    lines: tuple[str, ...]
    """The subtitle, to be wrapped."""
    unit: str
    band: Band
    batch_sizes: tuple[int, ...]
    floor: float
    """Where bands are cut, since a log axis down to their least values would leave no room for the means."""
    arms: tuple[str, ...]
    """Labels of what varies beside the batch size, in order; ("",) where nothing does."""
    sparse: bool
    """Whether most pairs of an arm and a batch size have no curve: each curve then has a panel with the names of both,
    instead of a place in a table."""
    span: Span
    """What the x axes are: shared, or each panel's own."""
    curves: tuple[Curve, ...]

    def name(self, curve: Curve) -> str:
        """The curve's arm, with its batch size where the arm has several."""
        several = len({c.batch_size for c in self.curves if c.line == curve.line}) > 1
        return words.joined(curve.line, f"batch {curve.batch_size}" if several else "")


def trace(source: Source, title: str, metric: str, unit: str, band: Band) -> Curves:
    """Collect the curves of a metric, thinned to what a figure can show, for a log axis.

    The band is the extremes over the seeds and updates that a point stands for, or the 95 % t interval of the mean
    over at least three seeds.
    """
    series = source.curves([metric], _points(len(source.groups)), "epoch", "seed")
    lines = arms([point_of(s) for s in series])
    read = [c for s in series if _has_values(c := _curve(s, lines, band))]
    sizes = tuple(sorted({c.batch_size for c in read}))
    sparse = len(lines.labels) > 1 and len(read) < FULL * len(lines.labels) * len(sizes)
    some_sizes = sizes if sparse else thin(sizes, MAX_PANELS if len(lines.labels) < 2 else MAX_COLUMNS)
    some_lines = lines.labels if sparse else thin(lines.labels, MAX_ROWS)
    some = thin(tuple(read), MAX_PANELS) if sparse else read
    shown = [c for c in some if c.batch_size in some_sizes and c.line in some_lines]
    drawn = tuple(p for c in shown if _has_values(p := _positive(c)))
    floor = min((float(np.min(c.mean)) for c in drawn), default=1.0) / FLOOR
    extent = _span(drawn)
    behind = grey(drawn, some_lines, extent, sparse=sparse)
    notes = [
        _band(drawn, band, floor),
        f"grey: the other {'curves' if sparse else 'batch sizes'}" if behind else "",
        _omitted(read, some, "curve"),
        _omitted(sizes, some_sizes, "batch size"),
        _omitted(lines.labels, some_lines, "line"),
        words.dropped(sum(int(np.count_nonzero(c.mean <= 0)) for c in shown), "point"),
    ]
    subtitle = (words.setting(source), *filter(None, notes), *words.missing(source.cells))
    return Curves(title, subtitle, unit, band, some_sizes, floor, some_lines, sparse, extent, drawn)


def grey(drawn: Sequence[Curve], arms: Sequence[str], extent: Span, *, sparse: bool) -> bool:
    """Whether each panel has the other curves behind its own: not in a table, nor with an x axis for each."""
    return len(drawn) > 1 and (sparse or len(arms) < 2) and extent == "shared"


def _span(drawn: Sequence[Curve]) -> Span:
    ends = [float(c.x[-1]) for c in drawn if c.diverged_at is None] or [float(c.x[-1]) for c in drawn]
    return span({str(i): [end] for i, end in enumerate(ends)})


def table(numbers: Curves) -> list[dict[str, Any]]:
    """One row a curve: where it starts and ends, and its extremes."""
    return [
        {
            "batch_size": c.batch_size,
            "line": c.line,
            "n": c.n,
            "first": float(c.mean[0]),
            "last": float(c.mean[-1]),
            "lowest": float(np.min(c.low)),
            "highest": float(np.max(c.high)),
            "epochs": float(c.x[-1]),
            "diverged_at": c.diverged_at,
        }
        for c in numbers.curves
    ]


def sentence(numbers: Curves) -> str:
    """What the plot shows, in one sentence."""
    found = table(numbers)
    if not found:
        return f"{numbers.title}: nothing to show."
    ends = [found[0]] if len(found) == 1 else [found[0], found[-1]]
    parts = [
        f"{_name(row)} goes from {words.number(row['first'], 3)} to {words.number(row['last'], 3)}" for row in ends
    ]
    count = words.several(len(found), "curve")
    return f"{numbers.title}, {count} over {words.number(found[0]['epochs'])} epochs: {'; '.join(parts)}."


def _points(series: int) -> int:
    return min(MAX_POINTS, max(MIN_POINTS, MAX_VALUES // max(series, 1)))


def _curve(series: Row, lines: Arms, band: Band) -> Curve:
    mean = floats(series["mean"])
    counts = series.get("n") or [1]
    if band == "extremes":
        low, high = floats(series["min"]), floats(series["max"])
    else:
        low, high = interval(series, mean)
    line, shown = lines.label(point_of(series)), drawable(series)
    x, ends = floats(series["x"]), series["diverged_at"]
    return Curve(series["batch_size"], line, max(counts), x[shown], mean[shown], low[shown], high[shown], ends)


def drawable(series: Row) -> slice:
    """The points that make a line: the last of a thinned series is one update's own value among means of many, and
    would look like a sudden end.
    """
    return slice(None, None if series.get("exact", True) or len(series["x"]) < 4 else -1)


def _has_values(curve: Curve) -> bool:
    return bool(np.isfinite(curve.mean).any())


def interval(series: Row, mean: Floats) -> tuple[Floats, Floats]:
    """The t interval where at least three seeds make it; elsewhere the mean alone."""
    if not series.get("lo"):
        return mean, mean
    enough = np.asarray(series["n"]) >= ENOUGH
    return np.where(enough, floats(series["lo"]), mean), np.where(enough, floats(series["hi"]), mean)


def floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _positive(curve: Curve) -> Curve:
    """The curve without the points that a log axis cannot show."""
    keep = curve.mean > 0
    return replace(curve, x=curve.x[keep], mean=curve.mean[keep], low=curve.low[keep], high=curve.high[keep])


def thin(values: tuple[T, ...], most: int) -> tuple[T, ...]:
    """At most `most` of the values, evenly spaced, both ends among them."""
    if len(values) <= most:
        return values
    return tuple(values[round(i * (len(values) - 1) / (most - 1))] for i in range(most))


def _band(drawn: Sequence[Curve], band: Band, floor: float) -> str:
    """How many seeds, and what the band is."""
    most = max((c.n for c in drawn), default=0)
    if band == "interval" and most < ENOUGH:
        return f"{words.several(most, 'seed')}: mean (too few for an interval)" if most else ""
    what = "band from least to greatest value" if band == "extremes" else "95 % t interval as a band"
    cut = f", cut at {words.number(floor, 2)}" if any(np.min(c.low) < floor for c in drawn) else ""
    return words.seeds([c.n for c in drawn], what) + cut


def _omitted(all_of: Sequence[Any], shown: Sequence[Any], noun: str) -> str:
    total = words.several(len(all_of), noun)
    return f"{len(shown)} of {total} shown" if len(shown) < len(all_of) else ""


def _name(row: Row) -> str:
    return words.joined(f"batch {row['batch_size']}", row["line"])
