"""Numbers of the map of rates and batch sizes: a tile for each pair, and how the best rate goes with the batch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from batchlab.claims import Evidence, RateExponent
from batchlab.claims.optima import Goal, vertex
from batchlab.statistics import summary, two_way

from batchlab_api.plots import words
from batchlab_api.plots.arms import point_of
from batchlab_api.plots.source import Row, Source


@dataclass(frozen=True)
class Tile:
    """One rate with one batch size, averaged over seeds."""

    panel: str
    batch_size: int
    lr: float
    n: int
    mean: float | None
    """None where every seed diverged or failed."""


@dataclass(frozen=True)
class Optimum:
    """The best rate of a batch size, between those of the grid."""

    panel: str
    batch_size: int
    lr: float


@dataclass(frozen=True)
class Heat:
    """All that the map shows."""

    title: str
    lines: tuple[str, ...]
    """The subtitle, to be wrapped."""
    label: str
    """Of the colours."""
    goal: Goal
    """Whether small or large values are good."""
    panels: tuple[str, ...]
    tiles: tuple[Tile, ...]
    optima: tuple[Optimum, ...]


def measure(source: Source, title: str, result: str, label: str, goal: Goal) -> Heat:
    """The means of a result for every pair of rate and batch size; the rest of the sweep makes panels."""
    names = _panels([group["by"] for group in source.groups])
    tiles = [_tile(group, result, names) for group in source.groups]
    panels = tuple(dict.fromkeys(tile.panel for tile in tiles))
    optima = [optimum for panel in panels for optimum in _optima(tiles, panel, goal)]
    facts = [_facts(source, tiles, panel, result, goal) for panel in panels]
    notes = [_marks(tiles), *facts, *words.missing(source.cells)]
    lines = (words.setting(source), *filter(None, notes))
    return Heat(title, lines, label, goal, panels, tuple(t for t in tiles if t.n or t.mean is None), tuple(optima))


def _marks(tiles: Sequence[Tile]) -> str:
    counts = sorted({tile.n for tile in tiles if tile.n})
    if not counts:
        return ""
    seeds = words.several(counts[0], "seed") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
    return f"Mean of {seeds}; dots: the best rate of each batch size, by a parabola through its neighbours"


def _panels(points: Sequence[Row]) -> list[str]:
    """Names of what differs beside rate and batch size, and is not said by the variant already."""
    values = {name: {point.get(name) for point in points} for name in dict.fromkeys(n for p in points for n in p)}
    found = [name for name, some in values.items() if len(some) > 1 and name not in ("batch_size", "lr")]
    variants = len(values.get("variant", ()))
    pairs = {name: {(point.get("variant"), point.get(name)) for point in points} for name in found}
    return [name for name in found if name == "variant" or len(pairs[name]) > variants]


def _panel(point: Row, names: Sequence[str]) -> str:
    own = [str(point[name]) if name == "variant" else f"{name} {words.number(point[name])}" for name in names]
    return words.joined(*own)


def _tile(group: Row, metric: str, names: Sequence[str]) -> Tile:
    by, estimate = group["by"], group.get(metric) or {"mean": None}
    return Tile(_panel(by, names), by["batch_size"], by["lr"], group["n"], estimate["mean"])


def _optima(tiles: Sequence[Tile], panel: str, goal: Goal) -> list[Optimum]:
    lines: dict[int, dict[float, float]] = {}
    for tile in tiles:
        if tile.panel == panel and tile.mean is not None:
            lines.setdefault(tile.batch_size, {})[tile.lr] = tile.mean
    found = {size: vertex(line, goal) for size, line in sorted(lines.items())}
    return [Optimum(panel, size, rate) for size, rate in found.items() if rate is not None]


def _facts(source: Source, tiles: Sequence[Tile], panel: str, metric: str, goal: Goal) -> str:
    """How the best rate grows with the batch, and how much of the variance each axis explains."""
    mine = {(t.lr, t.batch_size): t.mean for t in tiles if t.panel == panel}
    names = _panels([group["by"] for group in source.groups])
    cells = [cell for cell in source.cells if _panel(point_of(cell), names) == panel]
    told = [_exponent(cells, metric, goal), _shares(mine)]
    said = "; ".join(filter(None, told)).capitalize()
    return f"{panel}: {said}" if panel and said else said


def _exponent(cells: Sequence[Row], metric: str, goal: Goal) -> str:
    rows = [{"ordinal": place, **cell} for place, cell in enumerate(cells)]
    effects = RateExponent(quantity=metric, goal=goal, low=0, high=1).sample(Evidence(rows)).effects
    if not effects:
        return ""
    found = summary(list(effects.values()))
    between = "" if found.ci95 is None else f" (95\u00a0% {found.ci95[0]:.2f} to {found.ci95[1]:.2f})"
    return f"the best rate grows as the batch to the power {found.mean:.2f}{between}"


def _shares(means: Mapping[tuple[float, int], float | None]) -> str:
    rates, sizes = (sorted({place[axis] for place in means}) for axis in (0, 1))
    whole = [rate for rate in rates if all(means.get((rate, int(size))) is not None for size in sizes)]
    table = [[means[rate, int(size)] or 0.0 for size in sizes] for rate in whole]
    found = two_way(table) if len(table) > 1 and len(sizes) > 1 else None
    if found is None:
        return ""
    parts = (found.rows, found.columns, found.interaction)
    rate, batch, both = (f"{100 * part:.0f}\u00a0%" for part in parts)
    return f"of the variance the rate explains {rate}, the batch {batch}, only both together {both}"


def sentence(numbers: Heat) -> str:
    """What the map shows, in one sentence."""
    known = [tile for tile in numbers.tiles if tile.mean is not None]
    if not known:
        return f"{numbers.title}: nothing to show."
    best = [f"{words.number(o.lr, 2)} at batch {o.batch_size}" for o in numbers.optima]
    found = f"best rates: {', '.join(best)}" if best else "no best rate within the grid"
    return f"{numbers.title}, {words.several(len(known), 'pair')}; {found}."


def table(numbers: Heat) -> list[dict[str, Any]]:
    """One row a tile."""
    return [{"panel": t.panel, "batch_size": t.batch_size, "lr": t.lr, "n": t.n, "mean": t.mean} for t in numbers.tiles]


def edges(places: Sequence[float]) -> dict[float, tuple[float, float]]:
    """For each of ascending positive places where its tile begins and ends: half way to its neighbours, in log."""
    logs = [math.log(place) for place in places]
    steps = [b - a for a, b in pairwise(logs)] or [1.0]
    lows = [log - step / 2 for log, step in zip(logs, [steps[0], *steps], strict=True)]
    highs = [log + step / 2 for log, step in zip(logs, [*steps, steps[-1]], strict=True)]
    return {place: (math.exp(low), math.exp(high)) for place, low, high in zip(places, lows, highs, strict=True)}
