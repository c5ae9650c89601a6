"""What analyses have found, as plots take it: by kind, with the cells that were looked at in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batchlab_api.plots.places import text
from batchlab_api.plots.source import Row, Source

BETWEEN = " to "


@dataclass(frozen=True)
class Found:
    """One analysis: where in the sweep its cells are, which seeds they have, its values and arrays."""

    place: str
    """What tells it from the others, seeds aside: "batch 16", "batch 16 to batch 144"."""
    seeds: tuple[int, ...]
    values: Mapping[str, Any]
    arrays: Mapping[str, NDArray[np.float64]]
    meta: Mapping[str, Any]


def has(experiment: Row, *kinds: str) -> bool:
    """Whether the experiment has, or is to have, an analysis of one of these kinds."""
    asked = {str(one["kind"]) for one in experiment["spec"].get("analyses") or ()}
    return bool((asked | set(experiment.get("analysed") or ())) & set(kinds))


def of_kind(source: Source, kind: str) -> list[Found]:
    """The analyses of this kind that have succeeded, in the order of their cells."""
    cells = {cell.get("id"): cell for cell in source.cells}
    rows = [row for row in source.analyses if row["kind"] == kind and all(c in cells for c in row["cells"])]
    names = _names([cells[c] for row in rows for c in row["cells"]])
    rows.sort(key=lambda row: [cells[c]["ordinal"] for c in row["cells"]])
    return [_found(source, row, [cells[c] for c in row["cells"]], names) for row in rows]


def _found(source: Source, row: Row, cells: Sequence[Row], names: Mapping[str, bool]) -> Found:
    places = list(dict.fromkeys(_place(cell, names) for cell in cells))
    seeds = tuple(cell["seed"] for cell in cells)
    return Found(BETWEEN.join(places), seeds, row["values"], source.arrays(row["id"]), row["meta"])


def _names(cells: Sequence[Row]) -> dict[str, bool]:
    """Which parts of a cell's point differ among the cells."""
    return {name: len({cell[name] for cell in cells}) > 1 for name in ("variant", "batch_size", "lr", "momentum")}


def _place(cell: Row, names: Mapping[str, bool]) -> str:
    words = {"variant": "", "batch_size": "batch ", "lr": "lr ", "momentum": "momentum "}
    shown = [f"{words[n]}{cell[n] if n == 'variant' else text(cell[n])}" for n, differs in names.items() if differs]
    return ", ".join(shown)


def by_place(found: Sequence[Found]) -> dict[str, list[Found]]:
    """The analyses by place: those of one place differ in their seeds."""
    grouped: dict[str, list[Found]] = {}
    for one in found:
        grouped.setdefault(one.place, []).append(one)
    return grouped


def measured(source: Source, kind: str) -> Iterator[dict[str, Any]]:
    """Each cell that was analysed, with what was found as its result."""
    values = {row["cells"][0]: row["values"] for row in source.analyses if row["kind"] == kind}
    yield from ({**cell, "result": dict(values[cell["id"]])} for cell in source.cells if cell.get("id") in values)
