"""Following an experiment on the terminal: a bar where there is one, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from batchlab_client import Client, models

from batchlab_lab import show

LINE_SECONDS = 10.0
"""A log gets a line at a change of status, and at most so often between."""
ANALYSES_SECONDS = 0.5
"""Between two looks at the analyses of an experiment."""
WORKER_SECONDS = 60.0
"""How long to wait for a worker before posting all the same."""


def await_worker(client: Client, meanwhile: Callable[[], None]) -> None:
    """Wait for a worker, which loads torch first, so that what is posted starts at once."""
    deadline = time.monotonic() + WORKER_SECONDS
    while not any(worker.alive for worker in client.workers()) and time.monotonic() < deadline:
        meanwhile()
        time.sleep(0.1)


def await_analyses(client: Client, id: str, meanwhile: Callable[[], None] | None = None) -> Sequence[models.Analysis]:
    """The analyses of a finished experiment, once none of them waits or runs."""
    found = client.analyses(id)
    while any(one.status in ("queued", "running") for one in found):
        if meanwhile is not None:
            meanwhile()
        time.sleep(ANALYSES_SECONDS)
        found = client.analyses(id)
    return found


@contextmanager
def cancelled_if_left(client: Client, id: str) -> Iterator[None]:
    """Cancel the experiment where the block is left by Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        client.cancel(id)
        raise


def follow(
    client: Client, id: str, *, quiet: bool = False, meanwhile: Callable[[], None] | None = None
) -> models.Experiment:
    """Show the experiment's progress until it is finished; returns it then. `meanwhile` is called at each change."""
    states = client.watch(id)
    if not quiet:
        states = _bar(states) if show.console().is_terminal else _lines(states)
    for state in states:
        last = state
        if meanwhile is not None:
            meanwhile()
    return last


def line(experiment: models.Experiment) -> str:
    """One state in one line."""
    found = experiment.progress
    counts = {name: n for name, n in found.cells.model_dump().items() if n}
    parts = [
        experiment.status,
        f"{_percent(found):.0f} %",
        f"{found.updates_done:,} of {found.updates_total:,} updates",
        "cells: " + ", ".join(f"{n} {name}" for name, n in counts.items()),
        *_left(experiment),
    ]
    return " · ".join(parts)


def _percent(progress: models.Progress) -> float:
    return 100 * progress.updates_done / progress.updates_total if progress.updates_total else 100.0


def _left(experiment: models.Experiment) -> list[str]:
    eta = experiment.progress.eta_seconds
    return [f"about {show.duration(eta)} left"] if eta is not None and experiment.status == "running" else []


def _lines(states: Iterator[models.Experiment]) -> Iterator[models.Experiment]:
    status, due = "", 0.0
    for experiment in states:
        if experiment.status != status or time.monotonic() >= due:
            show.say(line(experiment))
            status, due = experiment.status, time.monotonic() + LINE_SECONDS
        yield experiment


def _bar(states: Iterator[models.Experiment]) -> Iterator[models.Experiment]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[cells]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=show.console(), expand=True) as progress:
        task = progress.add_task("", total=None, cells="")
        for experiment in states:
            found = experiment.progress
            progress.update(
                task,
                description=f"{show.printable(experiment.name)} {experiment.status}",
                completed=found.updates_done,
                total=found.updates_total,
                cells=" · ".join([_finished(found.cells), *_left(experiment)]),
            )
            yield experiment


def _finished(cells: models.CellCounts) -> str:
    counts = cells.model_dump()
    return f"{sum(counts.values()) - cells.queued - cells.running} of {sum(counts.values())} cells"
