"""Learning-rate rules: which rate goes with which batch size.

A rule maps a batch size to one or several base rates (several make an axis); schedules then multiply the rate.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from batchlab.errors import Fault, SpecError
from batchlab.kinds import Many, OneOrMany, Strict, many, union

Rate = Annotated[float, Field(gt=0)]
Rates = OneOrMany[Rate]
BatchEntry = int | str
"""A batch size as written in the spec: a number, a percentage such as "10%", or "full"."""


class Rule(Strict):
    """What the rules share. `rates` gives the base rates for one batch size; `check` looks at the whole sweep."""

    family: ClassVar[str] = "lr_rules"

    @abstractmethod
    def rates(self, entry: BatchEntry, batch_size: int) -> tuple[float, ...]:
        """Base rates for the batch written as `entry` and resolved to `batch_size` rows."""

    def check(self, batches: Sequence[tuple[BatchEntry, int]]) -> None:
        """Raise SpecError (paths relative to `lr`) where the rule does not fit these (entry, resolved) batches."""


class Fixed(Rule):
    """The same rate for every batch size."""

    rule: Literal["fixed"] = "fixed"
    base: Rates
    """The rate; a list makes an axis."""

    def rates(self, entry: BatchEntry, batch_size: int) -> tuple[float, ...]:
        return many(self.base)


class _Scaled(Rule):
    base: Rates
    """The rate at `base_batch`; a list makes an axis."""
    base_batch: Annotated[int, Field(ge=1)]
    """The batch size at which the rate is `base`, in rows."""

    def _scaled(self, batch_size: int, exponent: float) -> tuple[float, ...]:
        try:
            factor = (batch_size / self.base_batch) ** exponent
        except OverflowError:
            factor = math.inf
        return tuple(rate * factor for rate in many(self.base))


class Linear(_Scaled):
    """Rate proportional to the batch size: `base * B / base_batch` (Goyal et al. 2017)."""

    rule: Literal["linear"] = "linear"

    def rates(self, entry: BatchEntry, batch_size: int) -> tuple[float, ...]:
        return self._scaled(batch_size, 1.0)


class Sqrt(_Scaled):
    """Rate proportional to the root of the batch size: `base * sqrt(B / base_batch)` (Krizhevsky 2014)."""

    rule: Literal["sqrt"] = "sqrt"

    def rates(self, entry: BatchEntry, batch_size: int) -> tuple[float, ...]:
        return self._scaled(batch_size, 0.5)


class Power(_Scaled):
    """Rate as a power of the batch size: `base * (B / base_batch) ** exponent`."""

    rule: Literal["power"] = "power"
    exponent: float
    """0 is the fixed rule, 0.5 the square root, 1 the linear rule."""

    def rates(self, entry: BatchEntry, batch_size: int) -> tuple[float, ...]:
        return self._scaled(batch_size, self.exponent)


class Table(Rule):
    """One rate for each batch size, written out."""

    rule: Literal["table"] = "table"
    values: Annotated[dict[str, Rate], Field(min_length=1)]
    """Rates by batch size: the key is the entry as written in `batch_sizes` ("1", "10%", "full") or its number."""

    def rates(self, entry: BatchEntry, batch_size: int) -> tuple[float, ...]:
        return (self.values[self._key(entry, batch_size)],)

    def _key(self, entry: BatchEntry, batch_size: int) -> str:
        return str(entry) if str(entry) in self.values else str(batch_size)

    def check(self, batches: Sequence[tuple[BatchEntry, int]]) -> None:
        keys = {self._key(entry, size): entry for entry, size in batches}
        missing = [
            Fault(("values",), f"no rate for the batch size {entry}: add the key {str(entry)!r}")
            for key, entry in keys.items()
            if key not in self.values
        ]
        unused = [
            Fault(("values", key), f"no such batch size: remove it, or add {key} to batch_sizes")
            for key in self.values
            if key not in keys
        ]
        if missing or unused:
            raise SpecError(missing + unused)


class List(Rule):
    """Every rate of a list with every batch size: the list is an axis."""

    rule: Literal["list"] = "list"
    values: Many[Rate]
    """The rates."""

    def rates(self, entry: BatchEntry, batch_size: int) -> tuple[float, ...]:
        return self.values


LrRule = union("lr_rules", Fixed, Linear, Sqrt, Power, Table, List, tag="rule")  # type: ignore[arg-type]
