"""Schedules that rise again: cyclical rates, restarts, one cycle, and the ramp of a range test.

The rate of the rule is the peak (for the range test, the start); what papers give as a second rate is a factor here.
"""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from batchlab.schedules.base import TOUCH, BaseSchedule, Clock, Floats, Unit
from batchlab.schedules.decays import Factor, Length

Share = Annotated[float, Field(ge=0, le=1)]


class _Triangle(BaseSchedule):
    step_size: Length = 0.25
    """Half a cycle, in `unit`: from the base to the peak."""
    base: Share = 1 / 6
    """The lowest rate as a share of the peak."""
    unit: Unit = "fraction"

    def _wave(self, done: Floats, clock: Clock) -> tuple[Floats, Floats]:
        """The number of the cycle from 1 on, and how high in it: 0 at the base, 1 at the peak."""
        t = clock.ticks(done, self.unit) / clock.length(self.step_size, self.unit)
        cycle = np.floor(1 + (t + TOUCH) / 2)
        return cycle, np.clip(1 - np.abs(t - 2 * cycle + 1), 0.0, 1.0)


class Triangular(_Triangle):
    """Up and down in straight lines between the base and the peak: `cycle = floor(1 + t / 2s)` (Smith 2017)."""

    kind: Literal["triangular"] = "triangular"

    def factors(self, done: Floats, clock: Clock) -> Floats:
        _, height = self._wave(done, clock)
        return np.asarray(self.base + (1 - self.base) * height)


class Triangular2(_Triangle):
    """As triangular, each cycle half as high as the one before (Smith 2017)."""

    kind: Literal["triangular2"] = "triangular2"

    def factors(self, done: Floats, clock: Clock) -> Floats:
        cycle, height = self._wave(done, clock)
        return np.asarray(self.base + (1 - self.base) * height / 2 ** (cycle - 1))


class ExpRange(_Triangle):
    """As triangular, the height times `gamma` to the number of the update (Smith 2017)."""

    kind: Literal["exp_range"] = "exp_range"
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.999
    """Per update."""

    def factors(self, done: Floats, clock: Clock) -> Floats:
        _, height = self._wave(done, clock)
        return np.asarray(self.base + (1 - self.base) * height * self.gamma**done)


class Sgdr(BaseSchedule):
    """Cosines with warm restarts: the i-th takes `period * mult ** i` (Loshchilov & Hutter 2017)."""

    kind: Literal["sgdr"] = "sgdr"
    period: Length = 0.25
    """The first cosine, in `unit` (T0); at least one update."""
    mult: Annotated[float, Field(ge=1)] = 1.0
    """How much longer each cosine is than the one before (Tmult)."""
    end: Factor = 0.0
    """The factor just before a restart."""
    unit: Unit = "fraction"

    def factors(self, done: Floats, clock: Clock) -> Floats:
        t = clock.ticks(done, self.unit) / max(clock.length(self.period, self.unit), 1.0)
        started, lasts = self._cycle(t)
        place = np.clip((t - started) / lasts, 0.0, 1.0)
        return np.asarray(self.end + (1.0 - self.end) * (1.0 + np.cos(np.pi * place)) / 2.0)

    def _cycle(self, t: Floats) -> tuple[Floats, Floats]:
        """When the cosine at time `t` began and how long it lasts, in first periods."""
        if self.mult == 1.0:
            return np.floor(t + TOUCH), np.ones_like(t)
        growth = np.log(self.mult)
        i = np.floor(np.log1p((t + TOUCH) * (self.mult - 1.0)) / growth + TOUCH)
        return np.expm1(i * growth) / (self.mult - 1.0), np.exp(i * growth)


class OneCycle(BaseSchedule):
    """One rise and one long fall, the momentum moving the other way (Smith & Topin 2018; torch's OneCycleLR).

    Half cosines from `start` to 1 within `rise` of the length, then to `end`; the momentum falls from its own value by
    `momentum_dip` while the rate rises, and comes back.
    """

    kind: Literal["one_cycle"] = "one_cycle"
    length: Length = 1.0
    """The whole cycle, in `unit`; the rate stays at `end` afterwards."""
    rise: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """The share of the length in which the rate rises."""
    start: Share = 1 / 25
    """The first factor."""
    end: Share = 1 / 25e4
    """The last factor."""
    momentum_dip: Share = 0.85 / 0.95
    """The momentum's factor where the rate is highest; 1 leaves the momentum alone."""
    unit: Unit = "fraction"

    def factors(self, done: Floats, clock: Clock) -> Floats:
        rising, place = self._phase(done, clock)
        return np.where(rising, _bend(self.start, 1.0, place), _bend(1.0, self.end, place))

    def momentum_factors(self, done: Floats, clock: Clock) -> Floats:
        rising, place = self._phase(done, clock)
        dip = self.momentum_dip
        return np.where(rising, _bend(1.0, dip, place), _bend(dip, 1.0, place))

    def _phase(self, done: Floats, clock: Clock) -> tuple[NDArray[np.bool_], Floats]:
        """Whether the rate still rises, and the place within that phase, 0 to 1."""
        length = clock.length(self.length, self.unit)
        last = max(length - 1.0, 1.0)  # the last update has the last factor
        peak = min(max(self.rise * length - 1.0, TOUCH), last - TOUCH)
        t = np.minimum(clock.ticks(done, self.unit), last)
        return t <= peak, np.where(t <= peak, t / peak, (t - peak) / (last - peak))


def _bend(begin: float, end: float, place: Floats) -> Floats:
    """Half a cosine from one value to another."""
    return np.asarray(end + (begin - end) / 2.0 * (1.0 + np.cos(np.pi * place)))


class RangeTest(BaseSchedule):
    """The rising rate of a range test: update k of K (from 0) has `end ** (k / (K - 1))`, or a straight line.

    The rule gives the first rate. Linear as Smith 2017 has it, exponential as most finders do.
    """

    kind: Literal["range_test"] = "range_test"
    end: Annotated[float, Field(gt=1)] = 1e8
    """The last factor: 1e8 goes from 1e-7 to 10."""
    shape: Literal["exponential", "linear"] = "exponential"
    length: Length = 1.0
    """The ramp, in `unit`; the rate stays at its end afterwards."""
    unit: Unit = "fraction"

    def factors(self, done: Floats, clock: Clock) -> Floats:
        last = max(clock.length(self.length, self.unit) - 1.0, 1.0)
        place = np.minimum(clock.ticks(done, self.unit) / last, 1.0)
        return np.asarray(1.0 + (self.end - 1.0) * place if self.shape == "linear" else self.end**place)
