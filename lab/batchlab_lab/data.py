"""Data sets at hand on this machine, and fetching those that are downloaded."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from batchlab.datasets import standalone
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
    """Every data set, looked for in `folder`."""
    return [_state(name, dataset, folder) for name, dataset in _everyone().items()]


def fetch(name: str, folder: Path) -> State:
    """Download what the data set needs into `folder` (verified; nothing where it is there already)."""
    everyone = _everyone()
    if name not in everyone:
        raise LabError(f"there is no data set {name}: choose one of {', '.join(everyone)}")
    everyone[name].fetch(folder)
    return _state(name, everyone[name], folder)


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
