"""Train a whole spec with the core alone: no server, no database. The caller shows and stores what is yielded."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchlab.cell import Cell
from batchlab.datasets import Arrays
from batchlab.engines import choose, device_for
from batchlab.engines.base import CellBlock
from batchlab.errors import CellTimeout
from batchlab.expand import expand
from batchlab.experiment import ExperimentSpec


@dataclass(frozen=True)
class Progress:
    """What a cell has just done. `row` comes with its last item: the cell as results show it, with its outcome."""

    cell: Cell
    steps_done: int
    block: CellBlock | None = None
    row: dict[str, Any] | None = None


def run(
    spec: ExperimentSpec, folder: Path, *, device: str | None = None, block_seconds: float = 1.0
) -> Iterator[Progress]:
    """Train every cell in order, with the data sets of `folder`; a cell whose time is over has failed.

    `device`: where to train cells whose spec says `auto` (default: the first GPU, if there is one).
    """
    loaded: dict[str, Arrays] = {}
    for cell in expand(spec):
        key = " ".join(dataset.model_dump_json() for dataset in cell.datasets)
        if key not in loaded:
            loaded = {key: cell.load(lambda dataset: dataset.load(folder))}
        yield from _train(cell, loaded[key], device_for(device or "auto", cell.device), block_seconds)


def _train(cell: Cell, data: Arrays, device: str, block_seconds: float) -> Iterator[Progress]:
    done = 0
    try:
        for block, _ in choose(cell, device).train([cell], data, device=device, block_seconds=block_seconds):
            own = block.cells[0]
            done = own.steps_done
            ending = None if own.ending is None else row(cell, own.ending.status, own.ending.result)
            yield Progress(cell, done, own, ending)
    except CellTimeout as error:
        yield Progress(cell, done, row=row(cell, "failed", None) | {"cause": "timeout", "message": str(error)})


def row(cell: Cell, status: str, result: Any) -> dict[str, Any]:
    """The cell as `batchlab.results.group_cells` takes it."""
    return {"ordinal": cell.ordinal, **cell.describe(), "status": status, "result": result}
