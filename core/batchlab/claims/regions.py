"""Where the mean effect has to lie for a claim to hold, or to be wrong."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from batchlab.statistics import p_greater, p_less


@dataclass(frozen=True)
class Region:
    """The claim holds in [low, high] and is wrong below `wrong_below` or above `wrong_above`; between, who knows.

    Each decision needs the whole interval of the mean on its side, so its p is twice the one-sided p: the smallest
    alpha at which the interval of confidence 1 - alpha still decides.
    """

    low: float
    high: float
    wrong_below: float
    wrong_above: float

    def p_holds(self, effects: Sequence[float]) -> float:
        """p against all effects outside of [low, high]."""
        above = p_greater(effects, self.low) if self.low > -math.inf else 0.0
        below = p_less(effects, self.high) if self.high < math.inf else 0.0
        return min(1.0, 2 * max(above, below))

    def p_wrong(self, effects: Sequence[float]) -> float:
        """p against all effects that are not clearly wrong."""
        below = p_less(effects, self.wrong_below) if self.wrong_below > -math.inf else 1.0
        above = p_greater(effects, self.wrong_above) if self.wrong_above < math.inf else 1.0
        return min(1.0, 2 * min(below, above))


Direction = Literal["greater", "less", "equal"]


def region(direction: Direction, smallest: float) -> Region:
    """Greater or less than 0 by at least `smallest`, or within +-smallest of it.

    A directed claim is wrong where the effect is as large on the other side, one of equality where it is outside.
    """
    if direction == "greater":
        return Region(smallest, math.inf, -smallest, math.inf)
    if direction == "less":
        return Region(-math.inf, -smallest, -math.inf, smallest)
    return within(-smallest, smallest)


def within(low: float, high: float) -> Region:
    """Between two numbers, and wrong outside of them."""
    return Region(low, high, low, high)
