"""X axes with a tick at each value of a sweep, on a log or a linear scale, or on a log scale that has a zero."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import altair as alt

from batchlab_api.plots.axes import CHARACTER, Domain
from batchlab_api.plots.words import number

WIDE = 8.0
"""Positive values that span at least this factor stand on a log scale."""
AIR = math.log(1.18)
"""Room beside the first and the last value of a log scale."""
LINEAR_AIR = 0.05
"""The same on a linear scale, as a share of its length."""
EXACT = 10**6
"""Whole numbers below this are written in full."""


@dataclass(frozen=True)
class Places:
    """Where the values of a sweep lie on an x axis of `width` pixels."""

    values: tuple[float, ...]
    """Ascending, each once."""
    width: float
    scale: Literal["log", "linear", "symlog"]

    @classmethod
    def of(cls, values: Sequence[float], width: float, *, log: bool = False) -> "Places":
        """The scale that the values need; `log` asks for a log scale in any case."""
        positive = [v for v in values if v > 0]
        wide = log or (bool(positive) and max(positive) >= WIDE * min(positive))
        if not wide or min(values) < 0:
            return cls(tuple(values), width, "linear")
        return cls(tuple(values), width, "log" if min(values) > 0 else "symlog")

    @property
    def domain(self) -> Domain:
        """Both ends of the axis."""
        first, last = self._along(self.values[0]), self._along(self.values[-1])
        air = AIR if self.scale != "linear" else LINEAR_AIR * (last - first) or abs(last) or 1.0
        return self._back(first - air), self._back(last + air)

    def axis(self) -> alt.X:
        """The axis, with labels where they fit. No title."""
        shown = self._labelled()
        texts = json.dumps([text(v) for v in shown])
        at = f"indexof({json.dumps(shown)}, datum.value)"
        axis = alt.Axis(
            values=list(self.values), labelExpr=f"{at} < 0 ? '' : {texts}[{at}]", grid=False, labelOverlap=False
        )
        more = (
            {"base": 2}
            if self.scale == "log"
            else {"constant": self._least}
            if self.scale == "symlog"
            else {"zero": False}
        )
        scale = alt.Scale(type=self.scale, domain=list(self.domain), nice=False, **more)
        return alt.X("x:Q", title=None, scale=scale, axis=axis)

    def beside(self, value: float, pixels: float) -> float:
        """Where a mark lies that stands `pixels` to the right of a value."""
        low, high = map(self._along, self.domain)
        return self._back(self._along(value) + pixels * (high - low) / self.width)

    def pixel(self, value: float) -> float:
        """How far from the left end of the axis a value lies."""
        low, high = map(self._along, self.domain)
        return self.width * (self._along(value) - low) / (high - low)

    @property
    def _least(self) -> float:
        return min(v for v in self.values if v > 0)

    def _along(self, value: float) -> float:
        if self.scale == "log":
            return math.log(value)
        return math.copysign(math.log1p(abs(value) / self._least), value) if self.scale == "symlog" else value

    def _back(self, along: float) -> float:
        if self.scale == "log":
            return math.exp(along)
        return math.copysign(self._least * math.expm1(abs(along)), along) if self.scale == "symlog" else along

    def _labelled(self) -> list[float]:
        """The values whose labels do not touch: both ends, then powers of two, then the rest."""
        ends = (self.values[0], self.values[-1])
        spans: dict[float, tuple[float, float]] = {}
        for value in sorted(self.values, key=lambda v: (v not in ends, not _is_power(v), v)):
            middle, half = self.pixel(value), CHARACTER * (len(text(value)) + 1) / 2
            if all(middle + half <= left or right <= middle - half for left, right in spans.values()):
                spans[value] = (middle - half, middle + half)
        return sorted(spans)


def text(value: float) -> str:
    """A value as its tick is labelled."""
    return str(int(value)) if value == int(value) and abs(value) < EXACT else number(value)


def _is_power(value: float) -> bool:
    """Whether the value is a power of two."""
    return value > 0 and math.log2(value) == round(math.log2(value))
