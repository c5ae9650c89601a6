"""Commands that ask what an experiment's data say."""

from typing import Annotated

import typer
from batchlab_client import models

from batchlab_lab import show
from batchlab_lab.commands.options import DEFAULT_URL, Id, Json, Url, connect


def verdicts(id: Id, json: Json = False, url: Url = DEFAULT_URL) -> None:
    """Show what the data say of an experiment's claims."""
    with connect(url) as client:
        found = client.verdicts(id)
    if json:
        show.as_json(found)
        return
    show.verdicts(found.claims)
    if not found.claims:
        show.say("This experiment makes no claims.")
    elif found.preliminary:
        show.say("Preliminary: cells are still to come.")


def table(id: Id, json: Json = False, url: Url = DEFAULT_URL) -> None:
    """Show the sources' tables of a small and a large batch, as an experiment of small-vs-large-table measured them."""
    with connect(url) as client:
        found = client.tables(id)
    if json:
        show.as_json(found)
        return
    for one in found.tables:
        show.say(f"Table {one.number}")
        lines = [
            [line.title, _side(line.small), _side(line.large), line.quantity, line.verdict.verdict]
            for line in one.lines
        ]
        show.rows(["", "small batch", "large batch", "measured", "verdict"], lines)
    if found.preliminary:
        show.say("Preliminary: cells are still to come.")


def _side(cell: models.TableCell) -> str:
    estimate = show.Estimate(mean=cell.mean, sd=cell.sd, ci95=cell.ci95)
    return f"{cell.says}: {estimate}"


def power(
    *,
    id: Id,
    metric: Annotated[str, typer.Argument(help="A key of the results.")],
    difference: Annotated[float, typer.Argument(min=0, help="The difference that is to be seen.")],
    json: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Say how many seeds show a difference between neighbouring points of the sweep."""
    with connect(url) as client:
        found = client.power(id, metric, difference)
    if json:
        show.as_json(found)
        return
    axes = show.differing([point for pair in found.pairs for point in (pair.a, pair.b)])
    lines = [[_point(pair.a, axes), _point(pair.b, axes), *_numbers(pair)] for pair in found.pairs]
    show.rows(["from", "to", "n", "sd", "power now", "seeds"], lines)
    show.say(f"{found.seeds or 'an unknown number of'} seeds for all of them; POST /experiments/{id}/seeds adds some")


def _point(point: dict[str, object], axes: list[str]) -> str:
    return ", ".join(f"{axis} {show.text(point.get(axis))}" for axis in axes)


def _numbers(pair: models.PowerPair) -> list[object]:
    return [pair.n, pair.sd, pair.power, pair.seeds]
