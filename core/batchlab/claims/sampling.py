"""What every test of a claim is made of: the sample that it takes, one effect for each seed."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from batchlab.claims.evidence import Evidence, Taken
from batchlab.claims.regions import Region
from batchlab.kinds import Kind

Smallest = Annotated[float, Field(ge=0)]
Scale = Literal["difference", "log_ratio"]


@dataclass(frozen=True)
class Sample:
    """What a test has found: an effect for each seed, the cells behind it, and what could not be used."""

    effects: Mapping[int, float]
    cells: frozenset[int]
    left_out: Mapping[str, int]


class Tested(Kind):
    """A test of a claim. Subclasses give their effects, the region in which the claim holds, and words for both."""

    family: ClassVar[str] = "tests"

    def sample(self, evidence: Evidence) -> Sample:
        """One effect for each seed that has one."""
        raise NotImplementedError

    def region(self) -> Region:
        """Where the mean effect has to lie."""
        raise NotImplementedError

    def words(self) -> str:
        """What the effect is, for a sentence."""
        raise NotImplementedError


def sample_of(effects: Mapping[int, float | None], left_out: Mapping[str, int], *taken: Taken) -> Sample:
    """The sample of what was taken; seeds without an effect are counted among what is left out."""
    known = {seed: effect for seed, effect in effects.items() if effect is not None}
    counted = Counter(left_out)
    counted["seeds for which the effect cannot be computed"] += len(effects) - len(known)
    return Sample(known, frozenset().union(*(one.cells for one in taken)), +counted)


def effect(a: float, b: float, scale: Scale) -> float | None:
    """a - b, or log(a / b); None where there is no such logarithm."""
    if scale == "difference":
        return a - b
    if a <= 0 or b <= 0:
        return None
    ratio = a / b
    return math.log(ratio) if 0 < ratio < math.inf else math.log(a) - math.log(b)  # where the ratio is out of range
