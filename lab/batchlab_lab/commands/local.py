"""Data sets, here and in a lab; and training with the core alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from batchlab_client import models

from batchlab_lab import exits, show, specs
from batchlab_lab.commands.options import DEFAULT_URL, SPEC, Json, Set, Url, connect

if TYPE_CHECKING:
    from batchlab_lab.data import State

Task = Literal["classification", "regression"]
data = typer.Typer(help="Data sets: those on this machine, and adding your own.", no_args_is_help=True)


@data.command("list")
def list_(json: Json = False) -> None:
    """List the data sets, and whether this machine has them."""
    from batchlab_db.settings import settings

    from batchlab_lab.data import states

    show.listing(states(settings().data_folder), ["name", "available", "rows", "test_rows", "classes"], json)


@data.command()
def fetch(name: Annotated[str, typer.Argument(help="The data set, as specs name it.")]) -> None:
    """Download a data set into the data folder, verified by its checksums."""
    from batchlab_db.settings import settings

    from batchlab_lab import data as sets

    found = sets.fetch(name, settings().data_folder)
    show.say(f"{found.name}: {found.rows:,} rows for training, {found.test_rows:,} for testing")


@data.command()
def add(
    *,
    name: Annotated[str, typer.Argument(help="What specs will call it.")],
    file: Annotated[Path, typer.Argument(help="npz (x, y[, x_test, y_test]) or csv.", exists=True, dir_okay=False)],
    label: Annotated[str | None, typer.Option(help="Of a csv: the column of the labels (default: label).")] = None,
    task: Annotated[Task | None, typer.Option(help="Default: classification where labels are whole numbers.")] = None,
    local: Annotated[bool, typer.Option("--local", help="Into the data folder here, for `batchlab run`.")] = False,
    json: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Add a data set of your own to a lab; specs name it by {"kind": "user", "name": NAME}."""
    found = _add_here(name, file, label, task) if local else _add_there(url, name, file, label, task)
    if json:
        show.as_json(found)
    else:
        classes = f"{found.classes} classes" if found.classes else "a regression"
        show.say(f"{found.name}: {found.rows:,} rows for training, {found.test_rows:,} for testing, {classes}")


def _add_here(name: str, file: Path, label: str | None, task: Task | None) -> "State":
    from batchlab.uploads import Limits
    from batchlab_db.settings import settings

    from batchlab_lab import data as sets

    chosen = settings()
    return sets.add(name, file, chosen.data_folder, Limits(chosen.max_data_bytes), label=label, task=task)


def _add_there(url: str, name: str, file: Path, label: str | None, task: Task | None) -> models.Dataset:
    with connect(url) as client:
        return client.add_dataset(name, file, label=label, task=task)


@data.command()
def remove(name: Annotated[str, typer.Argument(help="The data set.")], url: Url = DEFAULT_URL) -> None:
    """Delete a data set that was added to a lab; refused while an experiment uses it."""
    with connect(url) as client:
        client.delete_dataset(name)
    show.say(f"{name} is deleted")


def run(
    spec: Annotated[Path, SPEC],
    set_: Set = [],  # noqa: B006 - typer copies it
    device: Annotated[str | None, typer.Option(help="cpu or cuda:N (default: the first GPU, else the CPU).")] = None,
    json: Json = False,
) -> None:
    """Train a spec here and now, with the core alone: no server, and nothing is stored."""
    from batchlab.datasets import store
    from batchlab.datasets.user import filled
    from batchlab.experiment import ExperimentSpec
    from batchlab.results import group_cells
    from batchlab.spec import parse_spec
    from batchlab_db.settings import settings

    from batchlab_lab.train import train

    folder = settings().data_folder
    document = filled(specs.read(spec, set_), lambda name, sha256: store.find(folder, name, sha256))
    parsed: ExperimentSpec = parse_spec(document)
    rows = train(parsed, folder, device, quiet=json)
    groups = group_cells(rows)
    if json:
        show.as_json({"cells": rows, "groups": groups})
    else:
        show.results([models.Group.model_validate(group) for group in groups])
    raise typer.Exit(exits.FAILED if any(row["status"] == "failed" for row in rows) else exits.SUCCEEDED)
