"""Data sets at hand on this machine, and fetching those that are downloaded."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from batchlab.datasets import User, standalone, store
from batchlab.datasets.user import NAME, Facts
from batchlab.uploads import Limits, read
from pydantic import BaseModel

from batchlab_lab.errors import LabError


class State(BaseModel):
    """A data set and whether this machine has it."""

    name: str
    rows: int
    test_rows: int
    classes: int | None
    available: bool


def states(folder: Path) -> Sequence[State]:
    """Every data set, looked for in `folder`, and those that were added to it."""
    added = [User(name=name, **facts.model_dump()) for name, facts in _added(folder)]
    return [
        *(_state(name, dataset, folder) for name, dataset in _everyone().items()),
        *(_state(dataset.name, dataset, folder) for dataset in added),
    ]


def fetch(name: str, folder: Path) -> State:
    """Download what the data set needs into `folder` (verified; nothing where it is there already)."""
    everyone = _everyone()
    if name not in everyone:
        raise LabError(f"there is no data set {name}: choose one of {', '.join(everyone)}")
    everyone[name].fetch(folder)
    return _state(name, everyone[name], folder)


def add(name: str, file: Path, folder: Path, limits: Limits, **how: Any) -> State:
    """Add the data set in a file to `folder`, for training without a server; `how` (label, task) it is read."""
    if not re.fullmatch(NAME, name) or name in _everyone():
        raise LabError(
            f"{name} cannot be a name: use small letters, digits, dots, dashes; no data set of the lab's own"
        )
    with file.open("rb") as opened:
        made = read(opened, limits, **how)
    store.add(folder, name, made.data, made.facts)
    return _state(name, User(name=name, **made.facts.model_dump()), folder)


def _added(folder: Path) -> Iterator[tuple[str, Facts]]:
    for name in store.names(folder):
        facts = store.find(folder, name)
        if facts is not None:
            yield name, facts


def _everyone() -> dict[str, Any]:
    return {kind.tag(): kind() for kind in standalone()}


def _state(name: str, dataset: Any, folder: Path) -> State:
    facts = dataset.info()
    return State(
        name=name,
        rows=facts.rows,
        test_rows=facts.test_rows,
        classes=facts.classes,
        available=dataset.available(folder),
    )
