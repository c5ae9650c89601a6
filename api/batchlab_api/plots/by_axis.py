"""Numbers of the plots of results against one axis of the sweep: averaged over seeds.

The axis is the batch size, the learning rate, the momentum, a number of the optimizer, or the variants.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchlab.results import group_cells

from batchlab_api.plots import places, words
from batchlab_api.plots.arms import Arms, Key, arms, key, point_of
from batchlab_api.plots.source import Row, Source

WIDE = 20.0
"""Positive values that span more than this factor are drawn on a log axis."""
FEW = 3
"""Below this many seeds the seeds themselves are drawn instead of an interval."""
FEW_LINES = 4
"""Up to so many lines are described one by one."""


@dataclass(frozen=True)
class Axis:
    """An axis of the sweep that results are drawn against."""

    key: str
    """Its key in a group's `by`."""
    title: str
    """Of the plot's axis."""
    at: str
    """What comes before a value in a sentence."""

    @property
    def is_named(self) -> bool:
        """Whether its values are names in the order of the spec, and not numbers."""
        return self.key == "variant"


BATCH = Axis("batch_size", "Batch size (rows)", "at batch")
LR = Axis("lr", "Learning rate", "at lr")
MOMENTUM = Axis("momentum", "Momentum", "at momentum")
VARIANT = Axis("variant", "", "with")


def number_axis(name: str) -> Axis:
    """The axis of a number of the optimizer."""
    return Axis(name, name.replace("_", " ").capitalize(), f"at {name}")


@dataclass(frozen=True)
class Quantity:
    """One result that is drawn against the axis."""

    metric: str
    """Its key in a cell's result."""
    label: str


@dataclass(frozen=True)
class Point:
    """A quantity at a value of the axis, averaged over seeds."""

    quantity: str
    colour: str
    panel: str
    x: Any
    """A number, or the name of a variant."""
    n: int
    mean: float
    low: float | None
    """Lower end of the 95 % t interval; None below three seeds."""
    high: float | None
    seeds: tuple[float, ...]
    """The seeds' own values where they are drawn: two seeds, too few for an interval, and all over the variants."""


@dataclass(frozen=True)
class ByAxis:
    """All that a plot against an axis shows."""

    title: str
    lines: tuple[str, ...]
    """The subtitle, to be wrapped."""
    unit: str
    axis: Axis
    quantities: tuple[str, ...]
    """Their labels, in order."""
    arms: Arms
    log: bool
    xs: tuple[Any, ...]
    """Values of the axis: ascending numbers, or names in the order of the spec."""
    points: tuple[Point, ...]


def measure(
    source: Source,
    title: str,
    quantities: Sequence[Quantity],
    unit: str,
    axis: Axis = BATCH,
    *,
    log: bool = False,
    timing: bool = False,
) -> ByAxis:
    """Collect quantities at every value of the axis.

    `log` asks for a log axis in any case; else one is taken where it is needed. `timing` leaves out the cells that
    shared their steps with others, whose seconds are not their own.
    """
    cells, refused = _unshared(source.cells) if timing else (source.cells, "")
    groups = group_cells(cells) if refused else source.groups
    return collect(source, title, quantities, unit, axis, cells=cells, groups=groups, log=log, note=refused)


def collect(
    source: Source,
    title: str,
    quantities: Sequence[Quantity],
    unit: str,
    axis: Axis,
    *,
    cells: Sequence[Row],
    groups: Sequence[Row],
    log: bool = False,
    note: str = "",
) -> ByAxis:
    """As `measure`, over cells and groups that are not quite the source's own; `note` says in what they differ."""
    there = [
        group
        for group in groups
        if group["by"].get(axis.key) is not None and any(_has(group, quantity) for quantity in quantities)
    ]
    lines, results = arms([group["by"] for group in there], axis.key), _results(cells)
    points = [p for quantity in quantities for p in _points(quantity, there, results, lines, axis)]
    log = log or _is_wide(points)
    shown = [p for p in points if not log or p.mean > 0]
    notes = [_alone(there, groups), _seeds(shown, axis), words.dropped(len(points) - len(shown), "value"), note]
    subtitle = (words.setting(source), *filter(None, notes), *words.missing(source.cells))
    labels = tuple(q.label for q in quantities if any(p.quantity == q.label for p in shown))
    return ByAxis(title, subtitle, unit, axis, labels, lines, log, _xs(shown, axis), tuple(shown))


def table(numbers: ByAxis) -> list[dict[str, Any]]:
    """One row a point, in the order of the lines."""
    return [
        {
            "quantity": p.quantity,
            "line": words.joined(p.panel, p.colour),
            numbers.axis.key: p.x,
            "n": p.n,
            "mean": p.mean,
            "ci95_low": p.low,
            "ci95_high": p.high,
        }
        for p in numbers.points
    ]


def sentence(numbers: ByAxis) -> str:
    """What the plot shows, in one sentence."""
    if not numbers.points:
        return f"{numbers.title}: nothing to show."
    lines = _lines(numbers.points)
    few = len(lines) <= FEW_LINES
    parts = [_course(line, name, numbers.axis) for name, line in lines.items()] if few else [_range(numbers)]
    return f"{numbers.title}, {_extent(numbers)} ({numbers.unit}): {'; '.join(parts)}."


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


def _points(
    quantity: Quantity, groups: Iterable[Row], results: Mapping[Key, list[Row]], lines: Arms, axis: Axis
) -> list[Point]:
    """The quantity's points in the groups that have it, along the axis."""
    found = [
        _point(quantity, group, results.get(key(group["by"]), []), lines, axis)
        for group in groups
        if _has(group, quantity)
    ]
    return found if axis.is_named else sorted(found, key=lambda p: p.x)


def _alone(there: Sequence[Row], groups: Sequence[Row]) -> str:
    """Which variant it is all about, where only one of several has the quantities: it has no legend to be named in."""
    names, every = ({group["by"]["variant"] for group in some} for some in (there, groups))
    return f"{next(iter(names))} alone" if len(names) == 1 < len(every) else ""


def _has(group: Row, quantity: Quantity) -> bool:
    return (group.get(quantity.metric) or {}).get("mean") is not None


def _point(quantity: Quantity, group: Row, results: Iterable[Row], lines: Arms, axis: Axis) -> Point:
    estimate = group[quantity.metric]
    values = tuple(r[quantity.metric] for r in results if r.get(quantity.metric) is not None)
    low, high = (estimate["ci95"] or (None, None)) if len(values) >= FEW else (None, None)
    seeds = values if len(values) > 1 and (axis.is_named or len(values) < FEW) else ()
    where = lines.place(group["by"])
    return Point(quantity.label, *where, group["by"][axis.key], len(values), estimate["mean"], low, high, seeds)


def _xs(points: Iterable[Point], axis: Axis) -> tuple[Any, ...]:
    found = dict.fromkeys(p.x for p in points)
    return tuple(found if axis.is_named else sorted(found))


def _seeds(points: Iterable[Point], axis: Axis) -> str:
    counts = [p.n for p in points]
    return words.seeds(counts, "95 % t interval, each seed as a small dot" if axis.is_named else "95 % t interval")


def _is_wide(points: Sequence[Point]) -> bool:
    means = [p.mean for p in points]
    return bool(means) and min(means) > 0 and max(means) > WIDE * min(means)


def _lines(points: Iterable[Point]) -> dict[str, list[Point]]:
    """Points by line; lines by what tells them apart."""
    found: dict[str, list[Point]] = defaultdict(list)
    for p in points:
        found[words.joined(p.quantity, p.panel, p.colour)].append(p)
    return found


def _extent(numbers: ByAxis) -> str:
    xs = numbers.xs
    if numbers.axis.is_named:
        return words.several(len(xs), "variant")
    return f"{places.text(xs[0])} to {places.text(xs[-1])}"


def _course(line: Sequence[Point], name: str, axis: Axis) -> str:
    """Where a line starts and ends, and its extremes between."""
    first, last = line[0], line[-1]
    extremes = {"highest": max(line, key=lambda p: p.mean), "lowest": min(line, key=lambda p: p.mean)}
    inner = [f"{word} {_at(p, axis)}" for word, p in extremes.items() if p not in (first, last)]
    return f"{name} {', '.join([_at(first, axis), *inner, *([_at(last, axis)] if last is not first else [])])}"


def _range(numbers: ByAxis) -> str:
    low, high = (pick(numbers.points, key=lambda p: p.mean) for pick in (min, max))
    return f"{len(_lines(numbers.points))} lines between {_at(low, numbers.axis)} and {_at(high, numbers.axis)}"


def _at(p: Point, axis: Axis) -> str:
    return f"{words.number(p.mean, 3)} {axis.at} {p.x if axis.is_named else places.text(p.x)}"
