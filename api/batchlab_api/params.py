"""Parameters that several endpoints share."""

from typing import Annotated

from fastapi import Depends, Header, Path, Query

from batchlab_api.problems import ProblemError

ExperimentId = Annotated[str, Path(alias="id", description="The experiment.", max_length=64)]
Limit = Annotated[int, Query(ge=1, le=1000, description="Items a page.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the page before.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="The same key and body give the same experiment, however often they are sent.",
    ),
]


def names(text: str) -> tuple[str, ...]:
    """The items of a comma-separated list, each once, in order."""
    return tuple(dict.fromkeys(item.strip() for item in text.split(",") if item.strip()))


def numbers(text: str | None, name: str) -> frozenset[int] | None:
    """The numbers of a comma-separated list, or None where there is none."""
    if not text:
        return None
    found = names(text)
    if not all(item.isascii() and item.isdecimal() and len(item) < 19 for item in found):
        raise ProblemError("bad-parameter", f"{name}: give whole numbers, separated by commas")
    return frozenset(map(int, found))


def _chosen_cells(
    cells: Annotated[str | None, Query(max_length=20_000, description="Ids of cells, by comma; default: all.")] = None,
) -> frozenset[int] | None:
    return numbers(cells, "cells")


def _chosen_batches(
    batch_size: Annotated[str | None, Query(max_length=2000, description="By comma; default: all.")] = None,
) -> frozenset[int] | None:
    return numbers(batch_size, "batch_size")


ChosenCells = Annotated[frozenset[int] | None, Depends(_chosen_cells)]
ChosenBatches = Annotated[frozenset[int] | None, Depends(_chosen_batches)]
