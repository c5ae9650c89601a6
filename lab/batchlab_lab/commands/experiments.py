"""Commands that speak to a lab's server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from batchlab_client import Client, models

from batchlab_lab import exits, show, specs
from batchlab_lab.commands.options import DEFAULT_URL, SPEC, Id, Json, Set, Url, Wait, connect

Size = Literal["smoke", "small", "full"]


def submit(
    *,
    spec: Annotated[Path, SPEC],
    set_: Set = [],  # noqa: B006 - typer copies it
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost; store nothing.")] = False,
    wait: Wait = False,
    json: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Post an experiment."""
    wanted = specs.read(spec, set_)
    with connect(url) as client:
        if dry_run:
            _show_plan(client.plan(wanted), json)
        else:
            _posted(client, client.submit(wanted), wait, json)


def study(
    *,
    name: Annotated[str | None, typer.Argument(help="The study; without it, all are listed.")] = None,
    size: Annotated[Size, typer.Option(help="How much of it.")] = "full",
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds of every point, if not the study's own.")] = None,
    set_: Set = [],  # noqa: B006
    wait: Wait = False,
    json: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Post the experiment of a study, or list the studies."""
    with connect(url) as client:
        if name is None:
            found = client.studies()
            show.listing(found, ["name", "title", "source"], json)
        else:
            changes = {"seeds": seeds} if seeds else {}
            made = client.run_study(name, {**changes, **specs.overrides(set_)}, size=size)
            _posted(client, made, wait, json)


def _posted(client: Client, made: models.Submitted, wait: bool, json: bool) -> None:
    if json and not wait:
        show.as_json(made)
        return
    if not json:
        show.say(f"{made.id}  {made.name}: {made.cells:,} cells, {made.updates:,} updates")
        for warning in made.warnings:
            show.say(f"warning: {warning}")
        show.say(f"{client.url}/#/experiments/{made.id}")
    if wait:
        _follow(client, made.id, json)


def _follow(client: Client, id: str, json: bool) -> None:
    from batchlab_lab.follow import follow

    experiment = follow(client, id, quiet=json)
    if json:
        show.as_json(experiment)
    else:
        show.say(f"{experiment.status}{': ' + experiment.error if experiment.error else ''}")
    raise typer.Exit(exits.of(experiment.status))


def _show_plan(plan: models.PlanReport, json: bool) -> None:
    if json:
        show.as_json(plan)
        return
    time = "unknown" if plan.eta_seconds is None else show.duration(plan.eta_seconds)
    show.say(f"{plan.cells:,} cells, {plan.updates:,} updates, {plan.storage / 1e6:,.1f} MB, time: {time}")
    for warning in plan.warnings:
        show.say(f"warning: {warning}")


def watch(id: Id, json: Json = False, url: Url = DEFAULT_URL) -> None:
    """Follow an experiment until it is finished; the exit status says how it ended."""
    with connect(url) as client:
        _follow(client, id, json)


def experiments(
    *,
    status: Annotated[str | None, typer.Option(help="Only those with this status.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    q: Annotated[str | None, typer.Option("-q", help="Only those with this text in their name.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    json: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """List experiments, newest first."""
    with connect(url) as client:
        found = client.list(status=status, tag=tag, q=q, limit=limit)  # type: ignore[arg-type]  # the server checks it
    show.listing(found, ["id", "status", "name", "created_at"], json)


def results(
    *,
    id: Id,
    metric: Annotated[list[str], typer.Option(help="A metric to show; may be given again.")] = [],  # noqa: B006
    format: Annotated[
        Literal["table", "csv", "parquet"], typer.Option(help="csv, parquet: a row for each cell.")
    ] = "table",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file.")] = None,
    json: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Show an experiment's results: means over seeds with their 95 % interval."""
    with connect(url) as client:
        if format != "table":
            _write(client.results_file(id, format), output)
        elif json:
            show.as_json(client.results(id))
        else:
            groups = client.results(id).groups
            _known(groups, metric)
            show.results(groups, metric)


def _known(groups: Sequence[models.Group], metrics: Sequence[str]) -> None:
    """Refuse a metric that no group has a number for; before the first result, when there is none at all, any goes."""
    names = show.measured(groups)
    if names and (wrong := [name for name in metrics if name not in names]):
        raise typer.BadParameter(f"--metric: there is no {wrong[0]!r} here, only {', '.join(sorted(names))}")


def plot(
    *,
    id: Id,
    name: Annotated[str | None, typer.Argument(help="The plot; without it, all are listed.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file: .svg .png .pdf .html .json.")] = None,
    json: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Save a plot, in the format that the file's name asks for."""
    with connect(url) as client:
        if name is None:
            show.listing(client.plots(id), ["name", "title"], json)
        else:
            file = output or Path(f"{name}.svg")
            _write(client.plot(id, name, _format(file)), file)


def _format(file: Path) -> Literal["svg", "png", "pdf", "html", "json"]:
    match file.suffix.removeprefix(".").lower():
        case "svg" | "png" | "pdf" | "html" | "json" as found:
            return found
    raise typer.BadParameter(f"{file}: name it .svg, .png, .pdf, .html or .json")


def _write(content: bytes, file: Path | None) -> None:
    if file is None:
        typer.echo(content, nl=False)
        return
    try:
        file.write_bytes(content)
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from error
    show.say(str(file))


def cancel(id: Id, url: Url = DEFAULT_URL) -> None:
    """Stop an experiment for good; what it measured stays."""
    with connect(url) as client:
        show.say(client.cancel(id).status)


def pause(id: Id, url: Url = DEFAULT_URL) -> None:
    """Let an experiment rest."""
    with connect(url) as client:
        show.say(client.pause(id).status)


def resume(id: Id, url: Url = DEFAULT_URL) -> None:
    """Let a paused experiment go on."""
    with connect(url) as client:
        show.say(client.resume(id).status)


def retry(id: Id, url: Url = DEFAULT_URL) -> None:
    """Run again what failed, was lost or is missing."""
    with connect(url) as client:
        show.say(client.retry(id).status)
