"""Commands that need no server: data sets on this machine, and training with the core alone."""

from typing import Annotated

import typer

from batchlab_lab import show
from batchlab_lab.commands.options import Json

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
