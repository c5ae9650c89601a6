"""Training with the core alone, with its progress on the terminal."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batchlab.expand import expand
from batchlab.experiment import ExperimentSpec
from batchlab.run import Progress, run

from batchlab_lab import show


def train(spec: ExperimentSpec, folder: Path, device: str | None, *, quiet: bool = False) -> list[dict[str, Any]]:
    """Train every cell of the spec, with the data sets of `folder`; returns the cells as results show them."""
    items = run(spec, folder, device=device)
    if not quiet:
        cells = expand(spec)
        items = (
            _bar(items, sum(cell.steps for cell in cells)) if show.console().is_terminal else _lines(items, len(cells))
        )
    return [item.row for item in items if item.row is not None]


def _lines(items: Iterator[Progress], total: int) -> Iterator[Progress]:
    for item in items:
        if item.row is not None:
            show.say(f"cell {item.cell.ordinal + 1} of {total}: batch {item.cell.batch_size}, {item.row['status']}")
        yield item


def _bar(items: Iterator[Progress], updates: int) -> Iterator[Progress]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(None), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=show.console(), expand=True) as bar:
        task, before = bar.add_task("updates", total=updates), 0
        for item in items:
            bar.update(task, completed=before + item.steps_done, description=f"batch {item.cell.batch_size}")
            if item.row is not None:
                before += item.cell.steps  # also where a cell diverged and needs no more
            yield item
