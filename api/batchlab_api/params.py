"""Parameters that several endpoints share."""

from typing import Annotated

from fastapi import Depends, Header, Path, Query

NUMBERS = r"^([0-9]{1,18}(,[0-9]{1,18})*)?$"
"""Whole numbers, separated by commas."""
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


def _numbers(text: str | None) -> frozenset[int] | None:
    return frozenset(map(int, names(text))) if text else None


def _chosen_cells(
    cells: Annotated[
        str | None, Query(max_length=20_000, pattern=NUMBERS, description="Ids of cells, by comma; default: all.")
    ] = None,
) -> frozenset[int] | None:
    return _numbers(cells)


def _few_cells(
    cells: Annotated[
        str | None, Query(max_length=4000, pattern=NUMBERS, description="Ids of cells, by comma; default: all.")
    ] = None,
) -> list[int] | None:
    chosen = _numbers(cells)
    return None if chosen is None else sorted(chosen)


def _chosen_batches(
    batch_size: Annotated[
        str | None, Query(max_length=2000, pattern=NUMBERS, description="By comma; default: all.")
    ] = None,
) -> frozenset[int] | None:
    return _numbers(batch_size)


ChosenCells = Annotated[frozenset[int] | None, Depends(_chosen_cells)]
ChosenBatches = Annotated[frozenset[int] | None, Depends(_chosen_batches)]
FewCells = Annotated[list[int] | None, Depends(_few_cells)]
"""Ids in order, as many as fit in an address whatever their spelling."""
