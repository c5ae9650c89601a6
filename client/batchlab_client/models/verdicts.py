"""What the data say: verdicts on claims, and how many seeds it takes."""

from typing import Any, Literal

from pydantic import Field

from batchlab_client.models.base import Model, Number


class Verdict(Model):
    """A claim with what the data say of it. Numbers that there are not are null."""

    id: str
    text: str
    source: str
    verdict: Literal["supported", "contradicted", "inconclusive"]
    reason: str
    """Why, in one sentence."""
    test: str
    """What the effect is and how it is tested, in words."""
    measured: str
    """What the effect is: the part of `test` that names it."""
    effect: Number
    """Mean over seeds."""
    smallest_effect: Number
    """The smallest that matters, fixed beforehand; null where a range is claimed."""
    claimed: tuple[Number, Number]
    """The effects that agree with the claim; null for an end that is open."""
    ci95: tuple[float, float] | None
    """Student-t interval of the effect."""
    ci_holm: tuple[float, float] | None
    """The interval that decides: at the confidence that Holm's correction gives this claim."""
    n: int
    """Seeds."""
    p: Number
    """The least alpha at which the interval decides."""
    p_holm: Number
    """The same, corrected for the other claims of the experiment."""
    hedges_g: Number
    """The effect in standard deviations over seeds."""
    seeds_needed: int | None
    """For an inconclusive claim: seeds that would decide it four times in five, if the effect is as measured; where
    that lies on no side, seeds that would tell the smallest effect from none."""
    cells: list[int]
    """Ordinals of the cells behind it."""
    left_out: dict[str, int] | None
    """Cells and seeds that do not count, by reason."""


class Verdicts(Model):
    """The claims of an experiment."""

    claims: list[Verdict]
    preliminary: bool = False
    """Whether cells are still to come."""


class PowerPair(Model):
    """Two neighbouring points of a sweep, compared by seed."""

    a: dict[str, Any]
    b: dict[str, Any]
    n: int
    """Seeds that both have."""
    mean: Number
    """Of b minus a."""
    sd: Number
    """Of the differences."""
    power: Number
    """Chance that so many seeds show the asked difference."""
    seeds: int | None
    """Seeds that show it four times in five."""


class Power(Model):
    """How many seeds it takes to see a difference, at 5 % and a power of 80 %."""

    metric: str
    difference: float
    seeds: int | None
    """Enough for every pair; null where the scatter of some pair is not known."""
    pairs: list[PowerPair] = Field(default_factory=list)
