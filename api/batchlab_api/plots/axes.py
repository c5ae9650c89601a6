"""Axes that say what they should: domains, ticks and which tick labels there is room for."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import altair as alt

from batchlab_api.plots.words import number

CHARACTER = 6.2
"""Width of a digit of a tick label, in pixels."""
ABOVE_ZERO = 0.25
"""A linear axis starts at zero where the lowest value is below this share of the highest."""

MOST_TICKS, LEAST_TICKS = 7, 4
TICK_ROOM = 20.0
"""Pixels of a value axis for each of its ticks."""
SHORT_NUMBER = "datum.value < 0.001 ? format(datum.value, '~e') : format(datum.value, datum.value < 1 ? '~g' : '~s')"
"""1e-4, 0.01, 100, 20k: as an expression of Vega."""
LABEL_ROOM = 36.0
"""Pixels of an x axis for each of its ticks."""
ROUNDING = 1e-9
DECADES = (1, 2, 5, 10, 20, 50, 100)
"""Steps of the exponent between the ticks of a log axis over many decades."""

Domain = tuple[float, float]


def value_axis(field: str, domain: Domain, height: float, *, log: bool) -> alt.Y:
    """A y axis of `height` pixels over `domain` with round numbers as ticks. No title."""
    return alt.Y(field, title=None, **_value_axis(domain, height, log=log))


def across(field: str, domain: Domain, room: float, *, log: bool) -> alt.X:
    """The same as an x axis, with as many ticks as a y axis of `room` pixels has."""
    return alt.X(field, title=None, **_value_axis(domain, room, log=log))


def log_across(field: str, domain: Domain, width: float) -> alt.X:
    """A log x axis of `width` pixels over exactly this domain, its ticks with few characters. No title."""
    ticks = log_ticks(*domain, int(min(max(width / LABEL_ROOM, 2), MOST_TICKS)))
    axis = alt.Axis(values=ticks, grid=False, labelExpr=SHORT_NUMBER)
    scale = alt.Scale(type="log", domain=list(domain), nice=False)
    return alt.X(field, title=None, scale=scale, axis=axis)


def _value_axis(domain: Domain, room: float, *, log: bool) -> dict[str, Any]:
    scale = alt.Scale(type="log" if log else "linear", domain=list(domain), nice=False)
    ticks = _ticks(domain, room, log=log)
    return {"scale": scale, "axis": alt.Axis(values=ticks, format="~g" if log else f".{_decimals(ticks)}f")}


def label_width(domain: Domain, *, log: bool) -> float:
    """Width of the longest tick label of a value axis, in pixels, whatever the height of the axis."""
    ticks = _ticks(domain, math.inf, log=log)
    return CHARACTER * max((len(number(t) if log else f"{t:.{_decimals(ticks)}f}") for t in ticks), default=0)


def linear_domain(values: Iterable[float], *, zero: bool = True) -> Domain:
    """A domain with a little air, from zero (where `zero` allows it) where the values come near it."""
    found = list(values) or [0.0, 1.0]
    low, high = min(found), max(found)
    air = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    return (0.0 if zero and 0 <= low < ABOVE_ZERO * high else low - air), high + air


def log_domain(values: Iterable[float]) -> Domain:
    """A domain of positive numbers with a little air; values that are not positive do not count."""
    found = [v for v in values if v > 0] or [0.1, 1.0]
    low, high = min(found), max(found)
    air = (high / low) ** 0.05 if high > low else 2.0
    return low / air, high * air


def linear_ticks(low: float, high: float, most: int = MOST_TICKS) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten from low to high, in at most `most` steps."""
    least = (high - low) / most
    exponent = math.floor(math.log10(least))
    step = next(s for s in (float(f"{d}e{exponent}") for d in (1, 2, 5, 10)) if s >= least)
    return [step * i for i in range(math.ceil(low / step - ROUNDING), math.floor(high / step + ROUNDING) + 1)]


def log_ticks(low: float, high: float, most: int = MOST_TICKS) -> list[float]:
    """Round numbers between low and high, at most `most`: quarters, digits, 1-2-5, or powers of ten."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    quarters = tuple(quarter / 4 for quarter in range(4, 40))
    for digits, every in ((quarters, 1), (range(1, 10), 1), ((1, 2, 5), 1), ((1, 3), 1), *(((1,), n) for n in DECADES)):
        found = [float(f"{d}e{e}") for e in range(first, last + 1) if e % every == 0 for d in digits]
        ticks = [t for t in found if low <= t <= high]
        if len(ticks) <= most:
            break
    return ticks


def _ticks(domain: Domain, height: float, *, log: bool) -> list[float]:
    """As many ticks as an axis of this height has room for."""
    most = int(min(max(height / TICK_ROOM, LEAST_TICKS), MOST_TICKS))
    return log_ticks(*domain, most) if log else linear_ticks(*domain, most)


def _decimals(ticks: Sequence[float]) -> int:
    """Decimals that tell the ticks of a linear axis exactly."""
    step = min((b - a for a, b in pairwise(ticks)), default=1.0)
    return max(0, -math.floor(math.log10(step) + ROUNDING))


def to_pixel(value: float, domain: Domain, height: float, *, log: bool) -> float:
    """How far above the axis a value lies."""
    low, high, at = (math.log(v) if log else v for v in (*domain, value))
    return height * (at - low) / (high - low)


def from_pixel(pixel: float, domain: Domain, height: float, *, log: bool) -> float:
    """The value that lies so far above the axis."""
    low, high = (math.log(v) if log else v for v in domain)
    at = low + (high - low) * pixel / height
    return math.exp(at) if log else at
