"""Learning-rate rules: which rate goes with which batch size, and what else goes with it.

A rule maps a batch size to one or several base rates (several make an axis); where the momentum counts, it maps each of
them on, and where the optimizer's own numbers count, it gives those. Schedules then multiply the rate.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

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
    needs: ClassVar[tuple[str, ...]] = ()
    """Numbers that the optimizer must have, by name."""

    @abstractmethod
    def rates(self, entry: BatchEntry, batch_size: int) -> tuple[float, ...]:
        """Base rates for the batch written as `entry` and resolved to `batch_size` rows."""

    def at_momentum(self, rate: float, momentum: float | None) -> float:
        """The rate, one of `rates`, of a cell with this momentum (None where the optimizer has none)."""
        return rate

    def numbers(self, batch_size: int, numbers: Mapping[str, float]) -> dict[str, float]:
        """The optimizer's numbers that the rule changes, of those that the spec gives it."""
        return {}

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


class Saturating(Rule):
    """A rate that grows with the batch until it no longer pays: `max / (1 + noise_scale / B)`.

    For batches far below the gradient's noise scale this is the linear rule (McCandlish et al. 2018, equation 2.7).
    """

    rule: Literal["saturating"] = "saturating"
    max: Rates
    """The rate that an endless batch would take; a list makes an axis."""
    noise_scale: Annotated[float, Field(gt=0)]
    """The batch size, in rows, at which the rate is half of `max`."""

    def rates(self, entry: BatchEntry, batch_size: int) -> tuple[float, ...]:
        return tuple(rate / (1.0 + self.noise_scale / batch_size) for rate in many(self.max))


class _WithMomentum(Rule):
    base_momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The momentum at which the rate is `base`."""

    def at_momentum(self, rate: float, momentum: float | None) -> float:
        return rate * (1.0 - (momentum or 0.0)) / (1.0 - self.base_momentum)


class IsoNoise(_WithMomentum, _Scaled):
    """Equal noise in the weights: `lr * N / (B * (1 - m))` stays what it is at the base (Smith & Le 2018).

    The linear rule, with the rate lowered as the momentum m rises: `base * B / base_batch * (1 - m) / (1 - base_m)`.
    """

    rule: Literal["iso_noise"] = "iso_noise"

    def rates(self, entry: BatchEntry, batch_size: int) -> tuple[float, ...]:
        return self._scaled(batch_size, 1.0)


class IsoEffective(_WithMomentum):
    """Equal effective rate: `lr / (1 - m)` stays what it is at the base, whatever the batch size."""

    rule: Literal["iso_effective"] = "iso_effective"
    base: Rates
    """The rate at `base_momentum`; a list makes an axis."""

    def rates(self, entry: BatchEntry, batch_size: int) -> tuple[float, ...]:
        return many(self.base)


class AdamSde(_Scaled):
    """The square-root rule of Adam with its other numbers (Malladi et al. 2022, definition 5).

    From `base_batch` to k times as many rows: the rate times sqrt(k), `1 - beta1` and `1 - beta2` times k, `eps` over
    sqrt(k). The optimizer's numbers in the spec are those at `base_batch`; each cell shows its own.
    """

    rule: Literal["adam_sde"] = "adam_sde"
    needs: ClassVar[tuple[str, ...]] = ("beta1", "beta2", "eps")

    def rates(self, entry: BatchEntry, batch_size: int) -> tuple[float, ...]:
        return self._scaled(batch_size, 0.5)

    def numbers(self, batch_size: int, numbers: Mapping[str, float]) -> dict[str, float]:
        k = batch_size / self.base_batch
        betas = {name: 1.0 - k * (1.0 - numbers[name]) for name in ("beta1", "beta2")}
        for name, beta in betas.items():
            if not 0.0 <= beta < 1.0:
                least = self.base_batch / (1.0 - numbers[name])
                raise SpecError.at((), f"gives {name} = {beta:.3g} at {batch_size} rows: stay below {least:.4g} rows")
        return betas | {"eps": numbers["eps"] / math.sqrt(k)}


_MEMBERS: Any = (Fixed, Linear, Sqrt, Power, Table, List, Saturating, IsoNoise, IsoEffective, AdamSde)
LrRule: Any = union("lr_rules", *_MEMBERS, tag="rule")
