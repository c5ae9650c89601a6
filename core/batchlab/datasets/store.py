"""User data in a data folder, for training with the core alone: `user/NAME.json` tells the facts of each name."""

import os
from pathlib import Path

from pydantic import ValidationError

from batchlab.datasets.user import Facts
from batchlab.errors import DataError


def add(folder: Path, name: str, data: bytes, facts: Facts) -> None:
    """Keep a data set under this name; DataError where the name is taken."""
    if find(folder, name) is not None:
        raise DataError(f"there is a data set {name} already: choose another name, or remove {_entry(folder, name)}")
    put(folder / "user" / f"{facts.sha256}.safetensors", data)
    put(_entry(folder, name), facts.model_dump_json().encode())


def find(folder: Path, name: str, sha256: str | None = None) -> Facts | None:
    """The facts of the data set of this name (and content, where that is given); None where there is none."""
    try:
        facts = Facts.model_validate_json(_entry(folder, name).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return facts if sha256 in (None, facts.sha256) else None


def names(folder: Path) -> list[str]:
    """The names of all data sets that were added here."""
    return sorted(path.stem for path in (folder / "user").glob("*.json"))


def put(path: Path, data: bytes) -> None:
    """Write a file that is whole or not there at all, also for who looks while it is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def _entry(folder: Path, name: str) -> Path:
    return folder / "user" / f"{name}.json"
