"""The textbook's experiment, from nothing to its figure: a lab is started for it and stopped after it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from batchlab_client import Client, models

from batchlab_lab import exits, show
from batchlab_lab.embedded import Embedded, until_signalled
from batchlab_lab.errors import HomeBusyError
from batchlab_lab.follow import await_worker, cancelled_if_left, follow
from batchlab_lab.home import Home

STUDY = "grad-norm-vs-batch"
PLOTS = ("grad-norm-vs-batch", "best-val-loss-vs-batch")
"""The two panels of figure 6.7.1."""
SHOWN = ("mean_grad_norm_weights", "mean_grad_norm_biases", "best_val_loss", "val_accuracy", "seconds_per_update")
TAG = "demo"
Size = Literal["smoke", "small", "full"]


def run(home: Home, *, workers: int | None, output: Path | None, size: Size, token: str | None) -> int:
    """Run the study; print the results and the verdicts, save the plots, and return the exit status."""
    try:
        with until_signalled(), Embedded(home, port=0, workers=workers) as lab, Client(lab.url, token) as client:
            show.say(f"The lab is at {lab.url} (data in {home.folder}).")
            return _run(lab, client, output or home.folder / "figures", size)
    except HomeBusyError as error:
        remedy = f"or run the same on the lab that is there: batchlab study {STUDY} --seeds 1 --wait"
        raise HomeBusyError(f"{error}; {remedy}") from error
    except KeyboardInterrupt:
        show.say("The demo was stopped.")
        return exits.INTERRUPTED


def _run(lab: Embedded, client: Client, output: Path, size: Size) -> int:
    _clear(client)
    await_worker(client, lab.tend)
    made = client.run_study(STUDY, {"tags": [TAG]}, size=size)
    show.say(
        f"{made.name}: {made.cells} cells, {made.updates:,} updates; watch them at {lab.url}/#/experiments/{made.id}"
    )
    for warning in made.warnings:
        show.say(f"warning: {warning}")
    with cancelled_if_left(client, made.id):
        experiment = follow(client, made.id, meanwhile=lab.tend)
    if experiment.status != "succeeded":
        show.say(f"The experiment {_end(experiment)}.")
        return exits.of(experiment.status)
    show.results(client.results(made.id).groups, SHOWN)
    show.verdicts(client.verdicts(made.id).claims)
    for file in _save_plots(client, made.id, output):
        show.say(f"saved {file}")
    return exits.SUCCEEDED


def _end(experiment: models.Experiment) -> str:
    if experiment.status == "cancelled":
        return "was cancelled"
    return f"{experiment.status}: {experiment.error or 'its cells say why'}"


def _clear(client: Client) -> None:
    """Cancel what a demo that was cut off has left: it would share the machine with this one."""
    for old in client.list(tag=TAG):
        if old.finished_at is None:
            client.cancel(old.id)


def _save_plots(client: Client, id: str, folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name in PLOTS:
        for format in ("svg", "png"):
            file = folder / f"{name}.{format}"
            file.write_bytes(client.plot(id, name, format))
            yield file
