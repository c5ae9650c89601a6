"""Which cells of an experiment an analysis looks at together, where the spec asks for it and names none."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from batchlab.analyses.base import Inputs
from batchlab.cell import Cell

Group = tuple[int, ...]
"""Places in a list of cells."""
COUNT: Mapping[Inputs, int] = {"two": 2, "three": 3}
"""How many cells a group has, where that is neither one nor all."""


def groups(inputs: Inputs, cells: Sequence[Cell]) -> list[Group]:
    """`one`: each cell. `all`: all of them. `two`, `three`: see `together`."""
    if inputs == "one":
        return [(i,) for i in range(len(cells))]
    if inputs == "all":
        return [tuple(range(len(cells)))] if cells else []
    return together(cells, COUNT[inputs])


def together(cells: Sequence[Cell], count: int) -> list[Group]:
    """Two or three cells: of each variant and seed the smallest batch, the one in the middle, where there are to be
    three, and the largest; where there are not so many batches, seeds in a row.
    """
    alike: dict[tuple[str | None, int], list[int]] = defaultdict(list)
    for i, cell in enumerate(cells):
        alike[cell.variant, cell.seed].append(i)
    found = [_spread({cells[i].batch_size: i for i in reversed(same)}, count) for same in alike.values()]
    return [group for group in found if group] or _neighbours(cells, count)


def _spread(by_size: Mapping[int, int], count: int) -> Group:
    """So many of the sizes, from the smallest to the largest; none where there are fewer."""
    sizes = sorted(by_size)
    if len(sizes) < count:
        return ()
    return tuple(by_size[sizes[round(i * (len(sizes) - 1) / (count - 1))]] for i in range(count))


def _neighbours(cells: Sequence[Cell], count: int) -> list[Group]:
    """Cells that differ in nothing but their seed, each with the next ones."""
    alike: dict[str, list[int]] = defaultdict(list)
    for i, cell in enumerate(cells):
        alike[cell.model_dump_json(exclude={"ordinal", "seed"})].append(i)
    return [tuple(same[i : i + count]) for same in alike.values() for i in range(len(same) - count + 1)]
