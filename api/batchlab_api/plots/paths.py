"""Numbers of the plots that follow two parameters over the contour lines of their loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from batchlab.cell import Cell
from batchlab.expand import expand
from batchlab.spec import parse_spec

from batchlab_api.plots import words
from batchlab_api.plots.arms import Arms, arms, point_of
from batchlab_api.plots.contours import Window, contours, key_of, loss_of
from batchlab_api.plots.curves import Floats, floats, thin
from batchlab_api.plots.source import Row, Source

POINTS = 1000
"""Updates that are followed, at the most."""
MAX_PANELS, MAX_LINES = 6, 6
PARAM, FINAL = "param/", "final_param/"


@dataclass(frozen=True)
class Walk:
    """Where one cell went: its two parameters before each update, and after the last where it ended."""

    colour: str
    panel: str
    points: Floats
    """(updates + 1, 2), finite."""
    parts: Floats
    """What the steps from these points are made of: (updates, 2 parts, 2), minus rate times gradient and the rest;
    of no updates where that was not recorded."""
    cell: Cell


@dataclass(frozen=True)
class Panel:
    """A part of the plane, with the contour lines of the loss, each as its points (n, 2)."""

    label: str
    window: Window
    contours: tuple[Floats, ...]


@dataclass(frozen=True)
class Paths:
    """All that a plot over two parameters shows."""

    title: str
    lines: tuple[str, ...]
    """The subtitle, to be wrapped."""
    names: tuple[str, str]
    """Of the two parameters."""
    arms: Arms
    colours: tuple[str, ...]
    panels: tuple[Panel, ...]
    walks: tuple[Walk, ...]


def parameters(experiment: Row) -> list[str]:
    """The parameters that are recorded number by number, by name."""
    return [name.removeprefix(PARAM) for name in experiment["metrics"] if name.startswith(PARAM)]


def names_of(experiment: Row) -> tuple[str, str]:
    """Of the two parameters, the one along x first: a weight before a bias."""
    one, other = sorted(parameters(experiment), key=lambda name: (name.endswith("bias"), name))
    return one, other


def collect(source: Source, title: str, walks: Sequence[Walk], places: Arms, note: str) -> Paths:
    """The walks with the contour lines under them, as many panels and lines as can be told apart."""
    colours, labels = thin(places.colours, MAX_LINES), thin(places.panels, MAX_PANELS)
    chosen = [walk for walk in walks if walk.colour in colours and walk.panel in labels]
    panels = [_panel(label, [walk for walk in chosen if walk.panel == label]) for label in labels]
    shown = tuple(panel for panel in panels if panel is not None)
    bare = any(not panel.contours for panel in shown)
    notes = ("contour lines of the loss of all training rows" if not bare else "", note)
    subtitle = (words.setting(source), *filter(None, notes), *words.missing(source.cells))
    return Paths(title, subtitle, names_of(source.experiment), places, colours, shown, tuple(chosen))


def _panel(label: str, walks: Sequence[Walk]) -> Panel | None:
    if not walks:
        return None
    reached = [walk.points for walk in walks]
    middles = [walk.points[: len(walk.parts)] + walk.parts[:, 0] for walk in walks]
    ends = [middle + walk.parts[:, 1] for middle, walk in zip(middles, walks, strict=True)]
    window = Window.around(np.concatenate([*reached, *middles, *ends]))
    alike = len({repr(key_of(walk.cell)) for walk in walks}) == 1
    loss = loss_of(walks[0].cell) if alike else None
    return Panel(label, window, () if loss is None else tuple(contours(loss, window)))


def read(source: Source, most: int = POINTS, *, parts: bool = False) -> tuple[list[Walk], Arms]:
    """The walks of the first seed of every point of the sweep, with their first `most` updates, and their places."""
    names = names_of(source.experiment)
    metrics = [f"{prefix}{name}" for prefix in _prefixes(parts) for name in names]
    found: dict[Any, dict[str, Row]] = {}
    for series in source.curves(metrics, POINTS, "step", "cell"):
        found.setdefault(_key(series), {})[series["metric"]] = series
    cells = {_key(cell.describe()): cell for cell in expand(parse_spec(source.experiment["spec"]))}
    results = {_key(row): row.get("result") or {} for row in source.cells}
    firsts = _first_seeds([key for key, series in found.items() if len(series) == len(metrics)], cells)
    places = arms([point_of(cells[key].describe()) for key in firsts], along="")
    walks = []
    for key in firsts:
        values = {name: floats(series["mean"]) for name, series in found[key].items()}
        place = places.place(point_of(cells[key].describe()))
        walks.append(_first(_walk(values, names, _end(results.get(key, {}), names), cells[key], place), most))
    return [walk for walk in walks if len(walk.points) > 1], places


def _prefixes(parts: bool) -> tuple[str, ...]:
    return (PARAM, "gradient_step/", "previous_step/") if parts else (PARAM,)


def _first_seeds(keys: Sequence[Any], cells: Mapping[Any, Cell]) -> list[Any]:
    """The keys of the first seed of each point, in the order of the sweep."""
    first: dict[str, Any] = {}
    for key in sorted(keys, key=lambda key: cells[key].ordinal):
        first.setdefault(str({**cells[key].describe(), "seed": None}), key)
    return list(first.values())


def _walk(
    values: Mapping[str, Floats], names: tuple[str, str], end: Floats, cell: Cell, place: tuple[str, str]
) -> Walk:
    """One cell's walk, up to the first point that is not finite."""

    def of(prefix: str) -> Floats:
        return np.stack([values[f"{prefix}{name}"] for name in names], axis=1)

    points = np.concatenate([of(PARAM), end])
    finite = np.isfinite(points).all(1)
    known = len(points) if finite.all() else int(finite.argmin())
    recorded = f"gradient_step/{names[0]}" in values
    parts = np.stack([of("gradient_step/"), of("previous_step/")], axis=1) if recorded else np.zeros((0, 2, 2))
    return Walk(*place, points[:known], parts[:known], cell)


def _end(result: Row, names: tuple[str, str]) -> Floats:
    """Where a cell ended, (1, 2); (0, 2) where that is not known."""
    final = [result.get(f"{FINAL}{name}") for name in names]
    return np.zeros((0, 2)) if None in final else np.array([final], dtype=np.float64)


def _first(walk: Walk, most: int) -> Walk:
    """The first `most` updates of a walk."""
    return replace(walk, points=walk.points[: most + 1], parts=walk.parts[:most])


def _key(row: Row) -> Any:
    point = (row[name] for name in ("variant", "batch_size", "lr", "momentum", "seed"))
    return (*point, *sorted((row.get("params") or {}).items()))


def table(numbers: Paths) -> list[dict[str, Any]]:
    """One row a walk: where it begins and ends, and how long it is."""
    return [
        {
            "line": words.joined(walk.panel, walk.colour),
            "updates": len(walk.points) - 1,
            **{f"first {name}": float(walk.points[0, i]) for i, name in enumerate(numbers.names)},
            **{f"last {name}": float(walk.points[-1, i]) for i, name in enumerate(numbers.names)},
            "length": float(np.linalg.norm(np.diff(walk.points, axis=0), axis=1).sum()),
        }
        for walk in numbers.walks
    ]


def sentence(numbers: Paths) -> str:
    """What the plot shows, in one sentence."""
    if not numbers.walks:
        return f"{numbers.title}: nothing to show."
    walks = numbers.walks if len(numbers.walks) <= 4 else (numbers.walks[0], numbers.walks[-1])
    parts = [
        f"{words.joined(walk.panel, walk.colour) or 'the path'} goes from {_at(walk.points[0])} to "
        f"{_at(walk.points[-1])} in {words.several(len(walk.points) - 1, 'update')}"
        for walk in walks
    ]
    return f"{numbers.title}, {words.several(len(numbers.walks), 'path')}: {'; '.join(parts)}."


def _at(point: Floats) -> str:
    return f"({words.number(float(point[0]), 3)}, {words.number(float(point[1]), 3)})"
