"""Commands about the studies: the list, and running many of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from batchlab_client import Client, models

from batchlab_lab import exits, show
from batchlab_lab.commands.options import DEFAULT_URL, DataDir, Json, Url, Workers, connect, quiet

studies = typer.Typer(help="The studies: list them, or run many.", invoke_without_command=True)

Meanwhile = Callable[[], None] | None
Size = Literal["smoke", "small", "full"]


@studies.callback()
def list_(context: typer.Context, json: Json = False, url: Url = DEFAULT_URL) -> None:
    """List the studies; `studies run` runs them."""
    if context.invoked_subcommand is None:
        with connect(url) as client:
            show.listing(client.studies(), ["name", "title", "source"], json)


@studies.command()
def run(
    *,
    size: Annotated[Size, typer.Option(help="How much of each study.")] = "small",
    only: Annotated[str | None, typer.Option(help="Only these studies: names, by comma.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Leave out what ended well there before.")] = False,
    output: Annotated[Path, typer.Option("-o", "--output", help="Where plots and index.html go.")] = Path(
        "figures/studies"
    ),
    url: Annotated[
        str | None, typer.Option("--url", envvar="BATCHLAB_URL", help="A lab that is there (default: one of its own).")
    ] = None,
    data_dir: DataDir = None,
    workers: Workers = None,
) -> None:
    """Run studies by name, a line each; save their plots and one page with all of them."""
    from batchlab_lab.studies import run as run_all
    from batchlab_lab.studies.run import unfinished

    try:
        with _lab(url, data_dir, workers) as (client, meanwhile):
            chosen = _chosen(client.studies(), only)
            wanted = unfinished(chosen, size, output) if resume else chosen
            status = run_all(client, wanted, size, output, meanwhile=meanwhile)
    except KeyboardInterrupt:
        show.say("Stopped; --resume goes on from here.")
        raise typer.Exit(exits.INTERRUPTED) from None
    raise typer.Exit(status)


@contextmanager
def _lab(url: str | None, data_dir: Path | None, workers: int | None) -> Iterator[tuple[Client, Meanwhile]]:
    """A client of the lab at `url`, or of one that lives as long as the block; and what it must be told meanwhile."""
    if url:
        with connect(url) as client:
            yield client, None
        return
    from batchlab_db.settings import settings

    from batchlab_lab.embedded import Embedded, until_signalled
    from batchlab_lab.follow import await_worker
    from batchlab_lab.home import Home

    quiet()
    home = Home(data_dir or settings().home)
    with until_signalled(), Embedded(home, port=0, workers=workers) as lab, connect(lab.url) as client:
        show.say(f"The lab is at {lab.url} (data in {home.folder}).")
        await_worker(client, lab.tend)
        yield client, lab.tend


def _chosen(found: Sequence[models.Study], only: str | None) -> list[models.Study]:
    names = [name.strip() for name in only.split(",")] if only else [study.name for study in found]
    by_name = {study.name: study for study in found}
    if wrong := [name for name in names if name not in by_name]:
        raise typer.BadParameter(f"--only: there is no study {wrong[0]!r}, only {', '.join(by_name)}")
    return [by_name[name] for name in names]
