"""What tells the lines of a plot apart, beside what its x axis shows: batch sizes, rates, momenta, numbers, variants.

A learning rate that only follows the batch size (one rate at each batch size) makes no line of its own, nor does a
number that the variant says already. Where several axes do, the first numeric one takes the colour and the others make
panels; variants take the colour when they are alone.
"""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchlab_api.plots.source import Row
from batchlab_api.plots.words import joined, number

Key = tuple[tuple[str, Hashable], ...]
FIXED = ("variant", "batch_size", "lr", "momentum")


@dataclass(frozen=True)
class Arms:
    """The lines of a plot. A place is a pair of labels, colour and panel, each "" where there is only one."""

    colours: tuple[str, ...]
    """Labels of the colours, in order."""
    panels: tuple[str, ...]
    """Labels of the panels, in order."""
    ordered: bool
    """Whether the colours stand for numbers, so that an ordered ramp fits."""
    places: Mapping[Key, tuple[str, str]]

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the lines in order, panel by panel."""
        found = {joined(panel, colour) for colour, panel in self.places.values()}
        every = (joined(panel, colour) for panel in self.panels for colour in self.colours)
        return tuple(label for label in every if label in found)

    def label(self, point: Row) -> str:
        """Panel and colour of a point in one label."""
        colour, panel = self.place(point)
        return joined(panel, colour)

    def place(self, point: Row) -> tuple[str, str]:
        """Labels of colour and panel of a point of the sweep."""
        return self.places[key(point)]


def point_of(row: Row) -> dict[str, Any]:
    """The point of the sweep that a cell or a series belongs to, in the form of a group's `by`."""
    return {name: row[name] for name in FIXED} | dict(row.get("params") or {})


def arms(points: Sequence[Row], along: str = "batch_size") -> Arms:
    """Sort the points of a sweep (each like a group's `by`) into lines along one of its axes ("": along none)."""
    ranks = _lr_ranks(points)
    labels = _labels(points, ranks, along)
    varying = [axis for axis in labels if len(set(labels[axis].values())) > 1]
    colour = next(iter(varying), None)
    places = {
        key(p): (labels[colour][key(p)] if colour else "", joined(*(labels[axis][key(p)] for axis in varying[1:])))
        for p in points
    }
    ordered = colour not in (None, "variant")
    ranked = sorted(points, key=lambda p: _order(p, colour, ranks)) if ordered else points
    colours, panels = (places[key(p)][0] for p in ranked), (panel for _, panel in places.values())
    return Arms(_unique(colours), _unique(panels), ordered, places)


def _labels(points: Sequence[Row], ranks: Mapping[Key, int], along: str) -> dict[str, dict[Key, str]]:
    """How each axis names each point; axes in the order in which they are preferred for the colour."""
    further = _unique(axis for p in points for axis in p if axis not in FIXED)
    found = {"lr": _lr_labels(points, ranks, along)}
    found["batch_size"] = {key(p): f"batch {p['batch_size']}" for p in points}
    for axis in ("momentum", *further):
        found[axis] = {key(p): f"{axis} {number(p.get(axis))}" for p in points}
    found |= {axis: dict.fromkeys(map(key, points), "") for axis in found if _follows_variant(axis, points, along)}
    found["variant"] = {key(p): str(p["variant"] or "") for p in points}
    return {axis: names for axis, names in found.items() if axis != along}


def _follows_variant(axis: str, points: Sequence[Row], along: str) -> bool:
    """Whether the variant (or, for an optimizer's number that a rule of the rate sets, the variant and the batch size)
    says already where a point is on this axis. Batch sizes are told even so along numbers.
    """
    if axis == "lr" or (axis == "batch_size" and along not in ("variant", "")):
        return False
    values: dict[Any, set[Any]] = defaultdict(set)
    for p in points:
        values[p["variant"], None if axis in FIXED else p["batch_size"]].add(p.get(axis))
    return all(len(own) == 1 for own in values.values())


def _lr_labels(points: Sequence[Row], ranks: Mapping[Key, int], along: str) -> dict[Key, str]:
    """Names points by learning rate, unless that is a function of the other axes: then all have the same name, "".

    Rates are matched along the x axis by their rank, since a rule keeps the order of its base rates.
    """
    lines: dict[tuple[Key, int], dict[Any, float]] = defaultdict(dict)
    told = {axis for p in points for axis in p if axis not in FIXED and _follows_variant(axis, points, along)}
    without = {"lr", along, *told}
    for p in points:
        lines[_beside(p, without), ranks[key(p)]][p.get(along)] = p["lr"]
    if not any(ranks.values()):
        return {key(p): "" for p in points}
    return {key(p): _span(lines[_beside(p, without), ranks[key(p)]]) for p in points}


def _lr_ranks(points: Sequence[Row]) -> dict[Key, int]:
    """The rank of each point's learning rate among the points that differ from it in nothing else."""
    rates: dict[Key, set[float]] = defaultdict(set)
    for p in points:
        rates[_beside(p, {"lr"})].add(p["lr"])
    ranked = {rest: {lr: rank for rank, lr in enumerate(sorted(found))} for rest, found in rates.items()}
    return {key(p): ranked[_beside(p, {"lr"})][p["lr"]] for p in points}


def _span(rates: Mapping[Any, float]) -> str:
    """The rates at both ends of a line; `rates` by the place on the x axis."""
    ends = sorted(rates, key=lambda place: (place is not None, 0 if place is None else place))
    small, large = rates[ends[0]], rates[ends[-1]]
    return f"lr {number(small)}" if len(set(rates.values())) == 1 else f"lr {number(small)} to {number(large)}"


def _order(p: Row, colour: str | None, ranks: Mapping[Key, int]) -> tuple[float, float]:
    if colour == "lr":
        return ranks[key(p)], p["lr"]
    value = p.get(colour or "")
    return (-1.0, 0.0) if value is None else (0.0, value)


def _beside(p: Row, axes: Collection[str]) -> Key:
    return key({axis: value for axis, value in p.items() if axis not in axes})


def key(p: Row) -> Key:
    """The point as a key of a dict, whatever the order of its axes."""
    return tuple(sorted(p.items()))


def _unique(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(labels))
