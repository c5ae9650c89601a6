"""Data sets that users add: one safetensors file each, known by its SHA-256, so that no name changes its content."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeGuard

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays

from batchlab.datasets.base import Arrays, DatasetKind, Info
from batchlab.errors import DataError, SpecError
from batchlab.kinds import Strict
from batchlab.merging import merge
from batchlab.packing import pack

NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Length = Annotated[int, Field(ge=1)]
Shape = Annotated[tuple[Length, ...], Field(min_length=1, max_length=3)]


class Facts(Strict):
    """What is known of a data set that was added."""

    sha256: Sha256
    """Of the file in which it is kept."""
    rows: Length
    test_rows: Annotated[int, Field(ge=0)]
    shape: Shape
    """Of a row."""
    classes: Annotated[int, Field(ge=2)] | None
    """None: regression."""


class User(DatasetKind):
    """A data set that was added to this lab, by its name (`POST /datasets`, `batchlab data add`).

    The lab fills in what it knows of the data, so that the experiment stays what it is whatever is added later.
    """

    bundled: ClassVar[bool] = False
    everywhere: ClassVar[bool] = True

    kind: Literal["user"] = "user"
    name: Annotated[str, Field(pattern=NAME)]
    """Its name."""
    sha256: Sha256 | None = None
    """Filled in: the content."""
    rows: Length | None = None
    """Filled in: rows of the training part."""
    test_rows: Annotated[int, Field(ge=0)] = 0
    """Filled in: rows of the test part."""
    shape: Shape | None = None
    """Filled in: the shape of a row."""
    classes: Annotated[int, Field(ge=2)] | None = None
    """Filled in: how many classes there are; none means regression."""

    def info(self) -> Info:
        if self.sha256 is None or self.rows is None or self.shape is None:
            text = f"no data set is called {self.name} here: add it by `batchlab data add {self.name} FILE`"
            raise SpecError.at(("dataset", "name"), text)
        return Info(self.rows, self.test_rows, self.shape, self.classes)

    def path(self, folder: Path) -> Path:
        """Where its file lies in a data folder."""
        return folder / "user" / f"{self.sha256}.safetensors"

    def available(self, folder: Path) -> bool:
        return self.path(folder).is_file()

    def load(self, folder: Path) -> Arrays:
        info = self.info()
        try:
            data = self.path(folder).read_bytes()
        except FileNotFoundError as error:
            raise DataError(
                f"{self.name} is not in {folder}: add it by `batchlab data add {self.name} FILE`"
            ) from error
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise DataError(f"{self.path(folder)} is damaged: remove it, and it is brought again")
        found = unpacked(data)
        if found.x.shape != (info.rows, *info.shape):
            raise DataError(
                f"{self.name} has the shape {found.x.shape}, and not {(info.rows, *info.shape)} as was said"
            )
        return found


def packed(arrays: Mapping[str, NDArray[Any]], classes: int | None) -> tuple[bytes, Facts]:
    """The file that keeps these arrays (x uint8 or float32, y int64 or float32, and a test part's), and its facts."""
    data = pack(arrays)
    x = arrays["x"]
    return data, Facts(
        sha256=hashlib.sha256(data).hexdigest(),
        rows=len(x),
        test_rows=len(arrays.get("x_test", ())),
        shape=x.shape[1:],
        classes=classes,
    )


def unpacked(data: bytes) -> Arrays:
    """The arrays in a file that `packed` made, bytes as pixels of 0 .. 1; DataError where it is none."""
    try:
        arrays = load_arrays(data)
        parts = (arrays["x"], arrays["y"], arrays.get("x_test"), arrays.get("y_test"))
    except (SafetensorError, KeyError) as error:
        raise DataError(f"no file of a data set ({error})") from error
    x, y, x_test, y_test = parts
    return Arrays(_floats(x), y, None if x_test is None else _floats(x_test), y_test)


def _floats(x: NDArray[Any]) -> NDArray[np.float32]:
    return x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x


Lookup = Callable[[str, str | None], Facts | None]
"""The facts of the data set of this name (and, where given, with this SHA-256); None where there is none."""
_FILLED = tuple(Facts.model_fields)


def filled(document: Any, lookup: Lookup) -> Any:
    """A spec's document with the facts of each user data set put in, also in its variants; other things as they are.

    What the document itself says of the facts counts for nothing: where there is no such data set, they are left out.
    """
    if not isinstance(document, dict):
        return document
    base, variants = document.get("dataset"), document.get("variants")
    found = dict(document)
    if _is_user(base):
        found["dataset"] = {**_without(base), **_facts(base, lookup)}
    if isinstance(variants, list):
        found["variants"] = [_variant(base, variant, lookup) for variant in variants]
    return found


def _variant(base: Any, variant: Any, lookup: Lookup) -> Any:
    if not isinstance(variant, dict) or not isinstance(own := variant.get("dataset"), dict):
        return variant
    merged = merge(base, own)
    if _is_user(merged):  # a null takes away what the spec around it says of other data
        facts = dict.fromkeys(_FILLED) | _facts(merged, lookup)
        return {**variant, "dataset": {**_without(own), **facts}}
    return {**variant, "dataset": {**(dict.fromkeys(_FILLED) if _is_user(base) else {}), **own}}


def _is_user(dataset: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(dataset, dict) and dataset.get("kind") == "user" and isinstance(dataset.get("name"), str)


def _without(dataset: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in dataset.items() if key not in _FILLED}


def _facts(dataset: dict[str, Any], lookup: Lookup) -> dict[str, Any]:
    """What is known of a user data set; empty where there is none."""
    sha256 = dataset.get("sha256")
    facts = lookup(dataset["name"], sha256 if isinstance(sha256, str) else None)
    return {} if facts is None else facts.model_dump(mode="json")
