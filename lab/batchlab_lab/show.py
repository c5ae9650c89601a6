"""What commands print: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from batchlab_client import models
from pydantic import BaseModel

if TYPE_CHECKING:
    from rich.console import Console

HEADLINES = ("best_val_loss", "val_loss", "val_accuracy", "mean_grad_norm", "seconds_per_update")
"""What a table of results shows unless it is told otherwise."""
WIDE = 240


@cache
def console() -> "Console":
    """Standard output. Where it is no terminal, lines may be long: nothing is cut off."""
    from rich.console import Console

    return Console(highlight=False) if sys.stdout.isatty() else Console(width=WIDE, highlight=False)


def say(text: str) -> None:
    """One line of plain text, shown as it is."""
    console().print(printable(text), markup=False, soft_wrap=True)


def printable(text: str) -> str:
    """`text` without characters that would steer the terminal: names and notes are other people's text."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def as_json(value: BaseModel | Sequence[BaseModel] | dict[str, Any]) -> None:
    """One JSON document on standard output."""
    if isinstance(value, BaseModel):
        print(value.model_dump_json(indent=2))
    elif isinstance(value, dict):
        print(json.dumps(value, indent=2))
    else:
        print(json.dumps([item.model_dump(mode="json") for item in value], indent=2))


def rows(headings: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """A table, numbers to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = list(lines)
    table = Table(box=box.SIMPLE, pad_edge=False)
    for column, heading in enumerate(headings):
        numeric = all(isinstance(line[column], int | float | Estimate | None) for line in made)
        table.add_column(Text(printable(heading)), justify="right" if numeric else "left", no_wrap=True)
    for line in made:
        table.add_row(*(Text(printable(text(value))) for value in line))
    console().print(table)


class Estimate(models.Estimate):
    """A mean that prints as `mean ± half of its interval`."""

    def __str__(self) -> str:
        if self.ci95 is None:
            return text(self.mean)
        return f"{text(self.mean)} ± {(self.ci95[1] - self.ci95[0]) / 2:.1g}"


def text(value: object) -> str:
    """A value as a table shows it: four digits, a dash for nothing."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def results(groups: Sequence[models.Group], metrics: Sequence[str] = ()) -> None:
    """The groups of a sweep: what differs between them, how many cells, and the asked metrics."""
    there = measured(groups)
    known = [name for name in metrics or HEADLINES if name in there]
    axes = differing([group.by for group in groups])
    counts = [name for name in ("n_diverged", "n_failed") if any(getattr(g, name) for g in groups)]
    rows([*axes, "n", *counts, *known], [_group(group, axes, counts, known) for group in groups])


def verdicts(claims: Sequence[models.Verdict]) -> None:
    """What the data say of each claim, and why."""
    for claim in claims:
        say(f"{claim.verdict.upper():<13} {claim.text} [{claim.source or claim.id}]")
        say(f"{'':<13} {claim.reason}")


def measured(groups: Sequence[models.Group]) -> set[str]:
    """The metrics that some group has a number for."""
    return {name for group in groups for name in group.metrics if _has(group, name)}


def _has(group: models.Group, metric: str) -> bool:
    return metric in group.metrics and group.metrics[metric].mean is not None


def _group(group: models.Group, axes: Sequence[str], counts: Sequence[str], known: Sequence[str]) -> list[object]:
    found = group.metrics
    means = [Estimate.model_validate(found[name].model_dump()) if _has(group, name) else None for name in known]
    return [*(group.by.get(axis) for axis in axes), group.n, *(getattr(group, name) for name in counts), *means]


def differing(points: Sequence[dict[str, Any]]) -> list[str]:
    """The keys whose values differ between the points; with one point, all that say something."""
    keys = list(dict.fromkeys(key for point in points for key in point))
    if len(points) == 1:
        return [key for key in keys if points[0][key] is not None]
    return [key for key in keys if len({repr(point.get(key)) for point in points}) > 1]


def duration(seconds: float) -> str:
    """Seconds as 1:05 or 2:01:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def listing(items: Sequence[BaseModel], columns: Sequence[str], json: bool) -> None:
    """Models as a table of some of their fields, or all of them as JSON."""
    if json:
        as_json(items)
    else:
        rows(columns, [[getattr(item, column) for column in columns] for item in items])
