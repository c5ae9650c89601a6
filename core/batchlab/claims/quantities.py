"""Quantities: what is measured of one cell, as a number.

A text stands for the result of that key: `"best_val_loss"` is `Result(key="best_val_loss")`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator

from batchlab.kinds import Kind, union
from batchlab.metrics import TIMED_RESULTS

Row = Mapping[str, Any]
Curve = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Numbers of updates, ascending, and the values of a metric there."""
Curves = Callable[[Row, str], Curve]
"""Reads the stored curve of a metric of one cell."""


class _Quantity(Kind):
    family: ClassVar[str] = "quantities"

    @property
    def timed(self) -> bool:
        """Whether it is measured in seconds, so that only cells that had their machine to themselves count."""
        return False

    def value(self, row: Row, curves: Curves) -> float | None:
        """The quantity of this cell; None where it has none."""
        raise NotImplementedError

    def words(self) -> str:
        """What it is, for a sentence."""
        raise NotImplementedError


class Result(_Quantity):
    """A key of the cell's result."""

    kind: Literal["result"] = "result"
    key: str
    """As in `GET /experiments/{id}/results`."""

    @property
    def timed(self) -> bool:
        return self.key in TIMED_RESULTS

    def value(self, row: Row, curves: Curves) -> float | None:
        return number((row.get("result") or {}).get(self.key))

    def words(self) -> str:
        return self.key


class Analysed(_Quantity):
    """A value of an analysis of the cell's last checkpoint, as the spec asks for it.

    Of a kind that the spec does not ask for, it is the analysis with its default parameters.
    """

    kind: Literal["analysed"] = "analysed"
    analysis: str
    """The analysis's kind."""
    key: str
    """The key in what it found."""

    def value(self, row: Row, curves: Curves) -> float | None:
        return number(((row.get("analyses") or {}).get(self.analysis) or {}).get(self.key))

    def words(self) -> str:
        return f"{self.key} of the analysis {self.analysis}"


class Total(_Quantity):
    """The sum over all updates of what a probe measures: its mean times their number."""

    kind: Literal["total"] = "total"
    metric: str
    """A metric whose mean is in the results: `update_norm` gives the length of the weights' way."""

    def value(self, row: Row, curves: Curves) -> float | None:
        result = row.get("result") or {}
        mean, updates = number(result.get(f"mean_{self.metric}")), number(result.get("updates"))
        return None if mean is None or updates is None else mean * updates

    def words(self) -> str:
        return f"{self.metric} summed over all updates"


class AtStep(_Quantity):
    """The last value that a curve has up to some part of the run."""

    kind: Literal["at_step"] = "at_step"
    metric: str
    """As in `GET /experiments/{id}/curves`."""
    step: int | None = None
    """After so many updates."""
    examples: int | None = None
    """After so many rows seen, where all batches have the same size."""

    def value(self, row: Row, curves: Curves) -> float | None:
        last = self.step if self.step is not None else (self.examples or 0) // row["batch_size"]
        steps, values = curves(row, self.metric)
        place = int(np.searchsorted(steps, last, side="right")) - 1
        reached = place >= 0 and steps[-1] >= last
        return number(float(values[place])) if reached else None

    def words(self) -> str:
        place = f"{self.examples} examples" if self.step is None else f"{self.step} updates"
        return f"{self.metric} after {place}"


class Reached(_Quantity):
    """How many updates it takes a curve to come to a value for the first time; None where it never does."""

    kind: Literal["reached"] = "reached"
    metric: str
    """As in `GET /experiments/{id}/curves`."""
    at_least: float | None = None
    """Reached by this value or a larger one."""
    at_most: float | None = None
    """Reached by this value or a smaller one."""

    def value(self, row: Row, curves: Curves) -> float | None:
        steps, values = curves(row, self.metric)
        low, high = (math.inf if bound is None else bound for bound in (self.at_least, self.at_most))
        there = np.flatnonzero((values >= low) | ((values <= high) & math.isfinite(high)))
        return float(steps[there[0]]) if there.size else None

    def words(self) -> str:
        bound = f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"
        return f"updates until {self.metric} is {bound}"


class Axis(_Quantity):
    """Where the cell lies on an axis of the sweep: to be set beside what is measured, in a ratio."""

    kind: Literal["axis"] = "axis"
    axis: str
    """batch_size, lr, momentum, or an optimizer number that varies."""

    def value(self, row: Row, curves: Curves) -> float | None:
        return coordinate(row, self.axis)

    def words(self) -> str:
        return self.axis


class ToTarget(_Quantity):
    """How long it takes to reach the target of the spec."""

    kind: Literal["to_target"] = "to_target"
    unit: Literal["updates", "epochs", "examples", "seconds"] = "updates"
    """What is counted."""
    unreached: Literal["left_out", "end_of_run"] = "left_out"
    """A cell that never reaches it is left out (and counted), or counts as if it did at its end: that is less than
    the truth, hence fit for a claim that this cell is the slower one."""

    @property
    def timed(self) -> bool:
        return self.unit == "seconds"

    def value(self, row: Row, curves: Curves) -> float | None:
        result = row.get("result") or {}
        reached = number(result.get(TARGETS[self.unit]))
        if reached is None and self.unreached == "end_of_run" and "target_step" in result:
            return self._whole(result)
        return reached

    def _whole(self, result: Row) -> float | None:
        if self.unit == "seconds":
            each, updates = number(result.get("seconds_per_update")), number(result.get("updates"))
            return None if each is None or updates is None else each * updates
        return number(result.get(self.unit))

    def words(self) -> str:
        return f"{self.unit} to the target"


TARGETS = {
    "updates": "target_step",
    "epochs": "epochs_to_target",
    "examples": "examples_to_target",
    "seconds": "seconds_to_target",
}
"""The result's key by unit."""


def coordinate(row: Row, axis: str) -> float | None:
    """Where a cell lies on an axis: batch_size, lr, momentum, or an optimizer number."""
    found = row[axis] if axis in ("batch_size", "lr", "momentum") else row["params"].get(axis)
    return None if found is None else float(found)


def _named(value: Any) -> Any:
    return {"kind": "result", "key": value} if isinstance(value, str) else value


PLAIN = (Result, Analysed, Total, AtStep, Reached, Axis, ToTarget)
Plain: Any = Annotated[union("quantities", *PLAIN), BeforeValidator(_named)]


class Difference(_Quantity):
    """One quantity minus another."""

    kind: Literal["difference"] = "difference"
    of: Plain
    """Any quantity but a difference or a ratio."""
    minus: Plain

    @property
    def timed(self) -> bool:
        return bool(self.of.timed or self.minus.timed)

    def value(self, row: Row, curves: Curves) -> float | None:
        a, b = self.of.value(row, curves), self.minus.value(row, curves)
        return None if a is None or b is None else a - b

    def words(self) -> str:
        return f"({self.of.words()} minus {self.minus.words()})"


class Ratio(_Quantity):
    """One quantity over another."""

    kind: Literal["ratio"] = "ratio"
    of: Plain
    """Any quantity but a difference or a ratio."""
    over: Plain

    @property
    def timed(self) -> bool:
        return bool(self.of.timed or self.over.timed)

    def value(self, row: Row, curves: Curves) -> float | None:
        a, b = self.of.value(row, curves), self.over.value(row, curves)
        return None if a is None or not b else a / b

    def words(self) -> str:
        return f"({self.of.words()} over {self.over.words()})"


def number(value: Any) -> float | None:
    """A finite number, or None."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and math.isfinite(value) else None


Quantity: Any = Annotated[union("quantities", *PLAIN, Difference, Ratio), BeforeValidator(_named)]
