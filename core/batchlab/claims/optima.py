"""Tests about where a quantity is best, and which axis it depends on."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from batchlab.claims.evidence import At, Evidence, Taken
from batchlab.claims.quantities import Quantity, coordinate
from batchlab.claims.regions import Region, within
from batchlab.claims.sampling import Sample, Smallest, Tested, sample_of
from batchlab.statistics import slope, two_way

Goal = Literal["min", "max"]
Place = Annotated[float, Field(gt=0)]


class Best(Tested):
    """Where along an axis a quantity is best, for each seed; claimed to lie between two places, ends included.

    The effect is log2 of the place. Give ends that lie between places of the grid, or open ones.
    """

    kind: Literal["best"] = "best"
    quantity: Quantity
    axis: Literal["batch_size", "lr"] = "batch_size"
    at: At = At()
    """What is held fixed."""
    goal: Goal = "min"
    low: Place | None = None
    """The least place that agrees with the claim."""
    high: Place | None = None
    """The greatest place that agrees with the claim."""

    def sample(self, evidence: Evidence) -> Sample:
        taken = evidence.take(self.quantity, self.at)
        lines = taken.along(self.axis, self.at.reduce)
        effects = {seed: math.log2(_best(line, self.goal)) if line else None for seed, line in lines.items()}
        return sample_of(effects, taken.left_out, taken)

    def region(self) -> Region:
        low = -math.inf if self.low is None else math.log2(self.low)
        high = math.inf if self.high is None else math.log2(self.high)
        return within(low, high)

    def words(self) -> str:
        where = f" at {self.at.words()}" if self.at.words() else ""
        return f"log2 of the {self.axis} with the {_extreme(self.goal)} {self.quantity.words()}{where}"


class RateExponent(Tested):
    """How the best rate grows with the batch: the exponent in it, 1 for a linear rule and 0.5 for a square root.

    For each seed and batch size the best rate is the vertex of the parabola through the best rate of the grid and its
    neighbours, in log rate; a best rate at the grid's edge says only that the grid is too narrow and is left out. The
    effect is the slope of log rate on log batch.
    """

    kind: Literal["rate_exponent"] = "rate_exponent"
    quantity: Quantity
    at: At = At()
    """What is held fixed."""
    goal: Goal = "min"
    low: float
    """The least exponent that agrees with the claim."""
    high: float
    """The greatest exponent that agrees with the claim."""

    def sample(self, evidence: Evidence) -> Sample:
        taken = evidence.take(self.quantity, self.at)
        found = best_rates(taken, self.goal)
        effects = {row["seed"]: _exponent(found.get(row["seed"], {})) for row, _ in taken.points}
        return sample_of(effects, taken.left_out, taken)

    def region(self) -> Region:
        return within(self.low, self.high)

    def words(self) -> str:
        where = f" at {self.at.words()}" if self.at.words() else ""
        return f"exponent in the batch size of the rate with the {_extreme(self.goal)} {self.quantity.words()}{where}"


class Explains(Tested):
    """One axis explains more of a quantity's variance than another, in the full grid of both: for each seed the
    logarithm of the ratio of their shares."""

    kind: Literal["explains"] = "explains"
    quantity: Quantity
    more: str
    less: str
    at: At = At()
    """What is held fixed."""
    smallest: Smallest = 0.0
    """The smallest logarithm that matters."""

    def sample(self, evidence: Evidence) -> Sample:
        taken = evidence.take(self.quantity, self.at)
        seeds = {row["seed"] for row, _ in taken.points}
        effects = {seed: self._effect(_table(taken, seed, self.more, self.less)) for seed in sorted(seeds)}
        return sample_of(effects, taken.left_out, taken)

    def _effect(self, table: list[list[float]]) -> float | None:
        shares = two_way(table) if table and table[0] else None
        return math.log(shares.rows / shares.columns) if shares and shares.rows > 0 and shares.columns > 0 else None

    def region(self) -> Region:
        return Region(self.smallest, math.inf, -self.smallest, math.inf)

    def words(self) -> str:
        return f"log of the variance of {self.quantity.words()} explained by {self.more} over that by {self.less}"


def best_rates(taken: Taken, goal: Goal) -> dict[int, dict[float, float]]:
    """For each seed the best rate of each batch size that has one inside the grid."""
    found: dict[int, dict[float, float]] = {}
    for batch in sorted({row["batch_size"] for row, _ in taken.points}):
        own = Taken(tuple(point for point in taken.points if point[0]["batch_size"] == batch))
        for seed, line in own.along("lr").items():
            if (rate := vertex(line, goal)) is not None:
                found.setdefault(seed, {})[float(batch)] = rate
    return found


def vertex(line: Mapping[float, float], goal: Goal) -> float | None:
    """The best rate between those of a line {rate: value}; None where the best is at an end."""
    rates = sorted(line)
    i = rates.index(_best(line, goal))
    if not 0 < i < len(rates) - 1:
        return None
    (a, b, c), (fa, fb, fc) = ([f(rate) for rate in rates[i - 1 : i + 2]] for f in (math.log, line.__getitem__))
    # The parabola through three points (Brent 1973, section 5.2).
    up, down = (b - a) * (fb - fc), (b - c) * (fb - fa)
    return math.exp(b if up == down else b - ((b - a) * up - (b - c) * down) / (2 * (up - down)))


def _best(line: Mapping[float, float], goal: Goal) -> float:
    return min(line, key=lambda place: line[place] if goal == "min" else -line[place])


def _exponent(rates: Mapping[float, float]) -> float | None:
    if len(rates) < 2:
        return None
    return slope([math.log(batch) for batch in rates], [math.log(rate) for rate in rates.values()])


def _table(taken: Taken, seed: int, rows: str, columns: str) -> list[list[float]]:
    """The values of a seed where both axes have a full grid: columns that lack a row are left out."""
    values: dict[tuple[Any, Any], float] = {
        (coordinate(row, rows), coordinate(row, columns)): value for row, value in taken.points if row["seed"] == seed
    }
    values = {place: value for place, value in values.items() if None not in place}  # not on both axes
    across = sorted({row for row, _ in values})
    full = [c for c in sorted({column for _, column in values}) if all((row, c) in values for row in across)]
    return [[values[row, column] for column in full] for row in across]


def _extreme(goal: Goal) -> str:
    return "least" if goal == "min" else "greatest"
