"""Tests of claims: each says what is measured where, in which direction, and which effect is the smallest that matters.

A test turns the cells into one effect for each seed; `judging` does the rest. A smallest effect of a `log_ratio` is a
natural logarithm: 0.05 is five per cent.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from batchlab.claims.evidence import At, Evidence, Taken
from batchlab.claims.optima import Best, Explains, RateExponent
from batchlab.claims.quantities import Quantity
from batchlab.claims.regions import Direction, Region, region, within
from batchlab.claims.sampling import Sample, Scale, Smallest, Tested, effect, sample_of
from batchlab.claims.saturating import Saturates
from batchlab.kinds import union
from batchlab.statistics import rank_correlation, slope


class Compare(Tested):
    """A quantity at one point against another, paired by seed."""

    kind: Literal["compare"] = "compare"
    quantity: Quantity
    a: At
    b: At
    direction: Direction
    """Of `a` relative to `b`: greater, less, or equal (within +-smallest)."""
    scale: Scale = "difference"
    """The effect is a - b, or log(a / b)."""
    smallest: Smallest = 0.0
    """The smallest effect that matters."""

    def sample(self, evidence: Evidence) -> Sample:
        one, other = evidence.take(self.quantity, self.a), evidence.take(self.quantity, self.b)
        a, b = one.by_seed(self.a.reduce), other.by_seed(self.b.reduce)
        effects = {seed: effect(a[seed], b[seed], self.scale) for seed in sorted(a.keys() & b.keys())}
        left_out = Counter(one.left_out) + Counter(other.left_out)
        left_out["without a partner of the same seed"] += len(a.keys() ^ b.keys())
        return sample_of(effects, left_out, one, other)

    def region(self) -> Region:
        return region(self.direction, self.smallest)

    def words(self) -> str:
        what, a, b = self.quantity.words(), self.a.words(), self.b.words()
        return f"log of {what} at {a} over {b}" if self.scale == "log_ratio" else f"{what} at {a} minus {b}"


class Trend(Tested):
    """How a quantity goes along an axis: the slope of its line, fitted for each seed.

    With the scale `log_ratio` the effect is the exponent, d log y / d log x; with `difference` it is the change of y
    for each doubling of x (for a step of 1 in momentum); with `rank` it is Spearman's correlation. A place at 0 has no
    logarithm: along an axis that has one, use `rank`, or `low` to begin above it.
    """

    kind: Literal["trend"] = "trend"
    quantity: Quantity
    axis: str = "batch_size"
    """batch_size, lr, momentum, or an optimizer number that varies."""
    at: At = At()
    """What is held fixed."""
    low: float | None = None
    """Only from here on."""
    high: float | None = None
    """Only up to here."""
    direction: Literal["rises", "falls", "flat"]
    scale: Literal["difference", "log_ratio", "rank"] = "log_ratio"
    about: float = 0.0
    """The slope from which the effect is counted: `flat` about -1 says that the slope is -1."""
    smallest: Smallest = 0.0
    """The smallest slope that matters."""

    def sample(self, evidence: Evidence) -> Sample:
        taken = evidence.take(self.quantity, self.at)
        lines = taken.along(self.axis, self.at.reduce)
        lines = {seed: self._between(line) for seed, line in lines.items()}
        unlogged = {seed for seed, line in lines.items() if self._logs and min(line, default=1.0) <= 0}
        slopes = {seed: self._slope(line) for seed, line in lines.items() if seed not in unlogged}
        effects = {seed: None if slope is None else slope - self.about for seed, slope in slopes.items()}
        reason = f"seeds with {self.axis} at 0 or below, which has no logarithm (use the scale rank, or begin above it)"
        return sample_of(effects, Counter(taken.left_out) + Counter({reason: len(unlogged)}), taken)

    @property
    def _logs(self) -> bool:
        """Whether the logarithms of places are taken."""
        return self.scale == "log_ratio" or (self.scale == "difference" and self.axis != "momentum")

    def _between(self, line: Mapping[float, float]) -> dict[float, float]:
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return {place: value for place, value in line.items() if low <= place <= high}

    def _slope(self, line: Mapping[float, float]) -> float | None:
        places, y = list(line), list(line.values())
        if len(places) < 2 or (self.scale == "log_ratio" and min(y) <= 0):
            return None
        if self.scale == "rank":
            return rank_correlation(places, y)
        if self.scale == "log_ratio":
            return slope([math.log(place) for place in places], [math.log(value) for value in y])
        return slope(places if self.axis == "momentum" else [math.log2(place) for place in places], y)

    def region(self) -> Region:
        directions: dict[str, Direction] = {"rises": "greater", "falls": "less", "flat": "equal"}
        return region(directions[self.direction], self.smallest)

    def words(self) -> str:
        kinds = {
            "difference": "change for each doubling of",
            "log_ratio": "exponent in",
            "rank": "rank correlation with",
        }
        ends = "".join(
            [
                f" from {self.low:g}" if self.low is not None else "",
                f" to {self.high:g}" if self.high is not None else "",
            ]
        )
        where = f" at {self.at.words()}" if self.at.words() else ""
        about = f" minus {self.about:g}" if self.about else ""
        return f"{kinds[self.scale]} {self.axis}{ends} of {self.quantity.words()}{where}{about}"


class Exceeds(Tested):
    """A quantity against a number."""

    kind: Literal["exceeds"] = "exceeds"
    quantity: Quantity
    at: At = At()
    number: float = 0.0
    direction: Direction = "greater"
    scale: Scale = "difference"
    """The effect is the quantity minus the number, or the logarithm of their ratio."""
    smallest: Smallest = 0.0
    """The smallest effect that matters."""

    def sample(self, evidence: Evidence) -> Sample:
        taken = evidence.take(self.quantity, self.at)
        values = taken.by_seed(self.at.reduce)
        return sample_of(
            {seed: effect(value, self.number, self.scale) for seed, value in values.items()}, taken.left_out, taken
        )

    def region(self) -> Region:
        return region(self.direction, self.smallest)

    def words(self) -> str:
        where = f" at {self.at.words()}" if self.at.words() else ""
        if self.scale == "log_ratio":
            return f"log of {self.quantity.words()}{where} over {self.number:g}"
        return f"{self.quantity.words()}{where}" + (f" minus {self.number:g}" if self.number else "")


class Diverges(Tested):
    """Training diverges there: the effect of a seed is 1 where it does and 0 where not, and more than half must."""

    kind: Literal["diverges"] = "diverges"
    at: At

    def sample(self, evidence: Evidence) -> Sample:
        rows = self.at.choose(evidence.rows)
        ended = [
            (row, float(row["status"] == "diverged")) for row in rows if row["status"] in ("succeeded", "diverged")
        ]
        taken = Taken(tuple(ended), {"not finished": len(rows) - len(ended)})
        return sample_of(dict(taken.by_seed(self.at.reduce)), taken.left_out, taken)

    def region(self) -> Region:
        return within(0.5, math.inf)

    def words(self) -> str:
        return f"share of runs that diverge at {self.at.words()}"


Test: Any = union("tests", Compare, Trend, Exceeds, Diverges, Best, RateExponent, Explains, Saturates)
