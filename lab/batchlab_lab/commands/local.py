"""Commands that need no server: data sets on this machine, and training with the core alone."""

from pathlib import Path
from typing import Annotated

import typer

from batchlab_lab import exits, show, specs
from batchlab_lab.commands.options import SPEC, Json, Set

data = typer.Typer(help="Data sets on this machine.", no_args_is_help=True)


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


def run(
    spec: Annotated[Path, SPEC],
    set_: Set = [],  # noqa: B006 - typer copies it
    device: Annotated[str | None, typer.Option(help="cpu or cuda:N (default: the first GPU, else the CPU).")] = None,
    json: Json = False,
) -> None:
    """Train a spec here and now, with the core alone: no server, and nothing is stored."""
    from batchlab.experiment import ExperimentSpec
    from batchlab.results import group_cells
    from batchlab.spec import parse_spec
    from batchlab_client import models
    from batchlab_db.settings import settings

    from batchlab_lab.train import train

    parsed: ExperimentSpec = parse_spec(specs.read(spec, set_))
    rows = train(parsed, settings().data_folder, device, quiet=json)
    groups = group_cells(rows)
    if json:
        show.as_json({"cells": rows, "groups": groups})
    else:
        show.results([models.Group.model_validate(group) for group in groups])
    raise typer.Exit(exits.FAILED if any(row["status"] == "failed" for row in rows) else exits.SUCCEEDED)
