"""Numbers of the plots over the batch size: results averaged over seeds."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchlab.results import group_cells

from batchlab_api.plots import words
from batchlab_api.plots.arms import Arms, Key, arms, key, point_of
from batchlab_api.plots.source import Row, Source

WIDE = 20.0
"""Positive values that span more than this factor are drawn on a log axis."""
FEW = 3
"""Below this many seeds the seeds themselves are drawn instead of an interval."""
FEW_LINES = 4
"""Up to so many lines are described one by one."""


@dataclass(frozen=True)
class Quantity:
    """One result that is drawn against the batch size."""

    metric: str
    """Its key in a cell's result."""
    label: str


@dataclass(frozen=True)
class Point:
    """A quantity at a batch size, averaged over seeds."""

    quantity: str
    colour: str
    panel: str
    batch_size: int
    n: int
    mean: float
    low: float | None
    """Lower end of the 95 % t interval; None below three seeds."""
    high: float | None
    seeds: tuple[float, ...]
    """The seeds' own values where they are drawn: two seeds, too few for an interval."""


@dataclass(frozen=True)
class ByBatch:
    """All that a plot over the batch size shows."""

    title: str
    lines: tuple[str, ...]
    """The subtitle, to be wrapped."""
    unit: str
    quantities: tuple[str, ...]
    """Their labels, in order."""
    arms: Arms
    log: bool
    batch_sizes: tuple[int, ...]
    points: tuple[Point, ...]


def measure(
    source: Source, title: str, quantities: Sequence[Quantity], unit: str, *, log: bool = False, timing: bool = False
) -> ByBatch:
    """Collect quantities at every batch size.

    `log` asks for a log axis in any case; else one is taken where it is needed. `timing` leaves out the cells that
    shared their steps with others, whose seconds are not their own.
    """
    cells, refused = _unshared(source.cells) if timing else (source.cells, "")
    groups = group_cells(cells) if refused else source.groups
    lines = arms([group["by"] for group in groups])
    results = _results(cells)
    points = [p for quantity in quantities for p in _points(quantity, groups, results, lines)]
    log = log or _is_wide(points)
    shown = [p for p in points if not log or p.mean > 0]
    notes = [words.seeds(p.n for p in shown), words.dropped(len(points) - len(shown), "value"), refused]
    subtitle = (words.setting(source), *filter(None, notes), *words.missing(source.cells))
    labels = tuple(q.label for q in quantities if any(p.quantity == q.label for p in shown))
    sizes = tuple(sorted({p.batch_size for p in shown}))
    return ByBatch(title, subtitle, unit, labels, lines, log, sizes, tuple(shown))


def table(numbers: ByBatch) -> list[dict[str, Any]]:
    """One row a point, in the order of the lines."""
    return [
        {
            "quantity": p.quantity,
            "line": words.joined(p.panel, p.colour),
            "batch_size": p.batch_size,
            "n": p.n,
            "mean": p.mean,
            "ci95_low": p.low,
            "ci95_high": p.high,
        }
        for p in numbers.points
    ]


def sentence(numbers: ByBatch) -> str:
    """What the plot shows, in one sentence."""
    if not numbers.points:
        return f"{numbers.title}: nothing to show."
    lines = _lines(numbers.points)
    sizes = f"{numbers.batch_sizes[0]} to {numbers.batch_sizes[-1]}"
    parts = [_course(line, name) for name, line in lines.items()] if len(lines) <= FEW_LINES else [_range(numbers)]
    return f"{numbers.title}, {sizes} ({numbers.unit}): {'; '.join(parts)}."


def _unshared(cells: Sequence[Row]) -> tuple[list[Row], str]:
    alone = [cell for cell in cells if not cell["shared_with"]]
    count = len(cells) - len(alone)
    whose = "its" if count == 1 else "their"
    return (
        alone,
        f"{words.several(count, 'cell')} left out: {whose} steps were shared with other cells" if count else "",
    )


def _results(cells: Iterable[Row]) -> dict[Key, list[Row]]:
    """Results of the succeeded cells by point of the sweep."""
    found: dict[Key, list[Row]] = defaultdict(list)
    for cell in cells:
        if cell["status"] == "succeeded":
            found[key(point_of(cell))].append(cell["result"])
    return found


def _points(quantity: Quantity, groups: Iterable[Row], results: Mapping[Key, list[Row]], lines: Arms) -> list[Point]:
    """The quantity's points in the groups that have it, by batch size."""
    found = [
        _point(quantity, group, results.get(key(group["by"]), []), lines)
        for group in groups
        if (group.get(quantity.metric) or {}).get("mean") is not None
    ]
    return sorted(found, key=lambda p: p.batch_size)


def _point(quantity: Quantity, group: Row, results: Iterable[Row], lines: Arms) -> Point:
    estimate = group[quantity.metric]
    values = tuple(r[quantity.metric] for r in results if r.get(quantity.metric) is not None)
    low, high = (estimate["ci95"] or (None, None)) if len(values) >= FEW else (None, None)
    seeds = values if 1 < len(values) < FEW else ()
    size, places = group["by"]["batch_size"], lines.place(group["by"])
    return Point(quantity.label, *places, size, len(values), estimate["mean"], low, high, seeds)


def _is_wide(points: Sequence[Point]) -> bool:
    means = [p.mean for p in points]
    return bool(means) and min(means) > 0 and max(means) > WIDE * min(means)


def _lines(points: Iterable[Point]) -> dict[str, list[Point]]:
    """Points by line; lines by what tells them apart."""
    found: dict[str, list[Point]] = defaultdict(list)
    for p in points:
        found[words.joined(p.quantity, p.panel, p.colour)].append(p)
    return found


def _course(line: Sequence[Point], name: str) -> str:
    """Where a line starts and ends, and its extremes between."""
    first, last = line[0], line[-1]
    extremes = {"highest": max(line, key=lambda p: p.mean), "lowest": min(line, key=lambda p: p.mean)}
    inner = [f"{word} {_at(p)}" for word, p in extremes.items() if p not in (first, last)]
    return f"{name} {', '.join([_at(first), *inner, *([_at(last)] if last is not first else [])])}"


def _range(numbers: ByBatch) -> str:
    low, high = (pick(numbers.points, key=lambda p: p.mean) for pick in (min, max))
    return f"{len(_lines(numbers.points))} lines between {_at(low)} and {_at(high)}"


def _at(p: Point) -> str:
    return f"{words.number(p.mean, 3)} at batch {p.batch_size}"
