"""Studies one after another: each is posted, followed, and its plots are saved below a folder of its name."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from batchlab_client import Client, RefusedError, models

from batchlab_lab import exits, show
from batchlab_lab.follow import await_analyses, cancelled_if_left, follow
from batchlab_lab.studies import index, picture
from batchlab_lab.studies.outcome import Outcome, load, save

Size = Literal["smoke", "small", "full"]
FORMATS: tuple[Literal["svg", "png"], ...] = ("svg", "png")


def run(
    client: Client,
    studies: Sequence[models.Study],
    size: Size,
    folder: Path,
    *,
    meanwhile: Callable[[], None] | None = None,
) -> int:
    """Run the studies, a line each; the worst of their exit statuses. What is there of other studies is kept."""
    statuses = [exits.SUCCEEDED]
    for study in studies:
        outcome = _one(client, study, size, folder / study.name, meanwhile)
        show.say(outcome.line)
        statuses.append(outcome.exit)
        index.write(folder, size)
    show.say(f"saved {folder / index.PAGE}")
    return max(statuses)


def unfinished(studies: Sequence[models.Study], size: Size, folder: Path) -> list[models.Study]:
    """The studies that have not ended well at this size in this folder."""
    kept = {study.name: load(folder / study.name) for study in studies}
    done = {name for name, outcome in kept.items() if outcome and outcome.size == size and not outcome.exit}
    return [study for study in studies if study.name not in done]


def _one(
    client: Client, study: models.Study, size: Size, folder: Path, meanwhile: Callable[[], None] | None
) -> Outcome:
    """Run one study and save what it gives; a study that the server refuses is an outcome, too."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    try:
        outcome = _followed(client, study, size, folder, meanwhile)
    except RefusedError as error:
        outcome = Outcome(study=study, size=size, faults=[str(error)])
    outcome = outcome.model_copy(update={"seconds": time.monotonic() - begun})
    save(folder, outcome)
    return outcome


def _followed(
    client: Client, study: models.Study, size: Size, folder: Path, meanwhile: Callable[[], None] | None
) -> Outcome:
    made = client.run_study(study.name, size=size)
    with cancelled_if_left(client, made.id):
        experiment = follow(client, made.id, quiet=True, meanwhile=meanwhile)
        analyses = await_analyses(client, made.id, meanwhile)
    saved, faults = _save_plots(client, made.id, study.plots, folder)
    picture.save(client, made.id, saved, folder)
    return Outcome(
        study=study,
        size=size,
        experiment=made.id,
        status=experiment.status,
        cells=experiment.progress.cells,
        updates=experiment.progress.updates_done,
        plots=saved,
        claims=client.verdicts(made.id).claims,
        faults=[*_ending(experiment), *_unanalysed(analyses), *faults],
    )


def _ending(experiment: models.Experiment) -> Iterator[str]:
    failed = experiment.progress.cells.failed
    if failed:
        yield f"{failed} cells failed: {experiment.error or 'the experiment says why'}"
    elif experiment.status != "succeeded":
        yield f"the experiment ended as {experiment.status}"


def _unanalysed(analyses: Sequence[models.Analysis]) -> Iterator[str]:
    for one in analyses:
        if one.status != "succeeded":
            yield f"analysis {one.kind} {one.status}: {one.message or one.cause or 'it does not say why'}"


def _save_plots(client: Client, id: str, names: Sequence[str], folder: Path) -> tuple[list[str], list[str]]:
    """Save the plots in every format; the names of those that could be drawn, and why others could not."""
    saved, faults = [], []
    for name in names:
        try:
            for format in FORMATS:
                (folder / f"{name}.{format}").write_bytes(client.plot(id, name, format))
            saved.append(name)
        except RefusedError as error:
            faults.append(f"plot {name}: {error}")
    return saved, faults
