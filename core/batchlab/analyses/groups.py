"""Which cells of an experiment an analysis looks at together, where the spec asks for it and names none."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from batchlab.analyses.base import Inputs
from batchlab.cell import Cell

Group = tuple[int, ...]
"""Places in a list of cells."""


def groups(inputs: Inputs, cells: Sequence[Cell]) -> list[Group]:
    """`one`: each cell. `all`: all of them. `two`: see `pairs`."""
    if inputs == "one":
        return [(i,) for i in range(len(cells))]
    if inputs == "all":
        return [tuple(range(len(cells)))] if cells else []
    return pairs(cells)


def pairs(cells: Sequence[Cell]) -> list[Group]:
    """Of each variant and seed the smallest batch with the largest; where batches do not differ, seeds in a row."""
    alike: dict[tuple[str | None, int], list[int]] = defaultdict(list)
    for i, cell in enumerate(cells):
        alike[cell.variant, cell.seed].append(i)
    size = {i: cell.batch_size for i, cell in enumerate(cells)}
    found = [(min(same, key=size.__getitem__), max(same, key=size.__getitem__)) for same in alike.values()]
    return [pair for pair in found if size[pair[0]] < size[pair[1]]] or _neighbours(cells)


def _neighbours(cells: Sequence[Cell]) -> list[Group]:
    """Cells that differ in nothing but their seed, each with the next."""
    alike: dict[str, list[int]] = defaultdict(list)
    for i, cell in enumerate(cells):
        alike[cell.model_dump_json(exclude={"ordinal", "seed"})].append(i)
    return [pair for same in alike.values() for pair in pairwise(same)]
