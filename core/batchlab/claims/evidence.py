"""Evidence: the cells of an experiment, which of them a claim speaks of, and what was measured there."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from batchlab.claims.quantities import Curve, Curves, Row, coordinate
from batchlab.kinds import Strict

End = Literal["smallest", "largest"]
Entry = Annotated[str, Field(pattern=r"^(smallest|largest|full|[0-9]{1,3}(\.[0-9]{1,9})?%)$")]
Reduce = Literal["mean", "min", "max"]
_REDUCE: dict[Reduce, Callable[[Sequence[float]], float]] = {
    "mean": lambda values: float(np.mean(values)), "min": min, "max": max,
}  # fmt: skip


class At(Strict):
    """Which cells are meant: those that agree in all that is given. Several of one seed are reduced to one number."""

    variant: str | None = None
    """The variant's name."""
    batch_size: int | Entry | None = None
    """Rows, an entry as it is written in the spec ("10%", "full"), or the `smallest` or `largest` that there is."""
    lr: float | End | None = None
    """The rate, or the smallest or largest that there is."""
    momentum: float | End | None = None
    """The momentum, or the smallest or largest that there is."""
    params: dict[str, float] = Field(default_factory=dict)
    """Optimizer numbers that vary within the experiment."""
    reduce: Reduce = "mean"
    """What becomes of several cells of one seed: their mean, least or greatest value."""

    def choose(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that are meant. `smallest` and `largest` are taken among those that agree in the rest."""
        found = [row for row in rows if self._agrees(row)]
        for axis in ("batch_size", "lr", "momentum"):
            asked = getattr(self, axis)
            values = [row[axis] for row in found if row[axis] is not None]
            if asked in ("smallest", "largest") and values:
                end = min(values) if asked == "smallest" else max(values)
                found = [row for row in found if row[axis] == end]
        return found

    def _agrees(self, row: Row) -> bool:
        size_fits = self.batch_size in (None, "smallest", "largest", row["batch_size"], row.get("batch_entry"))
        numbers = {name: (getattr(self, name), row[name]) for name in ("lr", "momentum")}
        numbers |= {name: (value, row["params"].get(name)) for name, value in self.params.items()}
        return self.variant in (None, row["variant"]) and size_fits and all(_equal(*pair) for pair in numbers.values())

    def words(self) -> str:
        """Where, for a sentence; nothing where every cell is meant."""
        given = {
            "variant": self.variant, "batch": self.batch_size, "lr": self.lr, "momentum": self.momentum, **self.params,
        }  # fmt: skip
        said = ", ".join(_said(name, value) for name, value in given.items() if value is not None)
        return said if self.reduce == "mean" else f"{said or 'all cells'} ({self.reduce} of each seed)"


def _said(name: str, value: Any) -> str:
    return f"{value} {name}" if value in ("smallest", "largest") else f"{name} {value}"


def _equal(asked: float | str | None, has: float | None) -> bool:
    return asked is None or isinstance(asked, str) or (has is not None and math.isclose(asked, has, rel_tol=1e-9))


@dataclass(frozen=True)
class Taken:
    """What was measured where a claim looks: cells with their values, and why others have none."""

    points: tuple[tuple[Row, float], ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def cells(self) -> frozenset[int]:
        """Ordinals of the cells that have a value."""
        return frozenset(row["ordinal"] for row, _ in self.points)

    def by_seed(self, reduce: Reduce = "mean") -> dict[int, float]:
        """One number for each seed."""
        found: dict[int, list[float]] = {}
        for row, value in self.points:
            found.setdefault(row["seed"], []).append(value)
        return {seed: _REDUCE[reduce](values) for seed, values in found.items()}

    def along(self, axis: str, reduce: Reduce = "mean") -> dict[int, dict[float, float]]:
        """For each seed its numbers along an axis, at the places where every seed has one."""
        split: dict[float, list[tuple[Row, float]]] = {}
        for row, value in self.points:
            if (place := coordinate(row, axis)) is not None:
                split.setdefault(place, []).append((row, value))
        columns = {place: Taken(tuple(split[place])).by_seed(reduce) for place in sorted(split)}
        seeds = {row["seed"] for row, _ in self.points}
        whole = {place: column for place, column in columns.items() if column.keys() == seeds}
        return {seed: {place: column[seed] for place, column in whole.items()} for seed in sorted(seeds)}


def no_curves(*_: object) -> Curve:
    """Curves where none are at hand."""
    return np.zeros(0, np.int64), np.zeros(0)


@dataclass(frozen=True)
class Evidence:
    """The cells of an experiment: rows as results show them, and their curves, if asked."""

    rows: Sequence[Row]
    curves: Curves = no_curves

    def take(self, quantity: Any, at: At) -> Taken:
        """The values of a quantity where `at` says, and the cells that have none, counted by reason."""
        points, left_out = [], Counter[str]()
        for row in at.choose(self.rows):
            reason = _unfit(row, quantity.timed)
            value = quantity.value(row, self.curves) if reason is None else None
            if value is not None:
                points.append((row, value))
            else:
                left_out[reason or f"without {quantity.words()}"] += 1
        return Taken(tuple(points), left_out)


def _unfit(row: Row, timed: bool) -> str | None:
    """Why a cell does not count; None where it does."""
    if row["status"] != "succeeded":
        return row["status"] if row["status"] in ("diverged", "failed", "cancelled") else "not finished"
    if timed and (row.get("shared_with") or not row.get("isolated", True)):
        return "whose seconds are not its own (post with isolated: true)"
    return None
