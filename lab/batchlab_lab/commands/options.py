"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer
from batchlab_client import Client
from batchlab_client.client import DEFAULT_URL

Url = Annotated[str, typer.Option("--url", envvar="BATCHLAB_URL", help="The lab's address.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Id = Annotated[str, typer.Argument(help="The experiment's id.")]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until it is finished; the exit status then says how.")]
Set = Annotated[list[str], typer.Option("--set", metavar="PATH=VALUE", help="Change the spec, as in lr.base=[0.1,1].")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where the lab keeps everything (BATCHLAB_HOME).")]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes (default: one a GPU, else one a core).")]
SPEC = typer.Argument(help="A JSON or YAML file, or - for standard input.")

__all__ = ["DEFAULT_URL", "SPEC", "DataDir", "Id", "Json", "Set", "Url", "Wait", "Workers", "connect", "quiet"]


def connect(url: str) -> Client:
    """A client with the token of the settings (BATCHLAB_TOKEN or BATCHLAB_TOKEN_FILE)."""
    from batchlab_db.settings import settings

    token = settings().token
    return Client(url, token.get_secret_value() if token else None, patience=2.0)


def quiet() -> None:
    """Keep the log lines of this process off the terminal; what goes wrong is told in words."""
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
