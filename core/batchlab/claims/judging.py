"""From the cells of an experiment to the verdicts on its claims.

    effects by seed --Student's t--> interval --Holm over all claims--> supported, contradicted or inconclusive

A claim is supported where the interval of the mean effect lies wholly beyond the smallest effect that matters, on the
claimed side; contradicted where it lies wholly beyond it on the other side; inconclusive otherwise, and always below
three seeds. The interval that decides has the confidence that Holm's correction asks for: 95 % for one claim alone.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from batchlab.claims.claim import Claim
from batchlab.claims.evidence import Evidence
from batchlab.claims.regions import Region
from batchlab.claims.sampling import Sample
from batchlab.statistics import Comparison, compare, holm, interval, required_n, required_n_equal

Word = Literal["supported", "contradicted", "inconclusive"]
ALPHA = 0.05
FEWEST = 3
"""With fewer seeds nothing is decided."""


@dataclass(frozen=True)
class Verdict:
    """What the data say of a claim, with the evidence. None for numbers that there are not."""

    id: str
    text: str
    source: str
    verdict: Word
    reason: str
    """Why, in one sentence."""
    test: str
    """The test in words."""
    measured: str = ""
    """What the effect is: the part of `test` that names it."""
    effect: float | None = None
    """Mean over seeds, as `test` says."""
    smallest_effect: float | None = None
    """The smallest that matters; None where a range is claimed."""
    claimed: tuple[float | None, float | None] = (None, None)
    """The effects that agree with the claim; None for an end that is open."""
    ci95: tuple[float, float] | None = None
    """Student's interval of the effect, for this claim alone."""
    ci_holm: tuple[float, float] | None = None
    """The interval at the confidence that Holm's correction gives this claim."""
    n: int = 0
    """Seeds."""
    p: float | None = None
    """The least alpha at which the interval decides; 1 where it lies on no side."""
    p_holm: float | None = None
    """p after Holm's correction over the experiment's claims."""
    hedges_g: float | None = None
    """The effect in standard deviations over seeds, without its bias for small n; None where they do not vary."""
    seeds_needed: int | None = None
    """Seeds that would decide the claim four times in five, if the effect is as measured; where the measured one lies
    on no side, that would tell the smallest effect from none."""
    cells: tuple[int, ...] = ()
    """Ordinals of the cells behind it."""
    left_out: Mapping[str, int] | None = None
    """Cells and seeds that do not count, by reason."""


@dataclass(frozen=True)
class _Case:
    """A claim with a test, its sample and where it stands."""

    claim: Claim
    sample: Sample
    region: Region

    @property
    def effects(self) -> list[float]:
        return list(self.sample.effects.values())

    @property
    def p(self) -> float:
        return min(self.region.p_holds(self.effects), self.region.p_wrong(self.effects))


def judge(claims: Sequence[Claim], evidence: Evidence) -> list[Verdict]:
    """The verdicts on the claims, in their order; one without a test is inconclusive."""
    cases = [None if c.test is None else _Case(c, c.test.sample(evidence), c.test.region()) for c in claims]
    decidable = {i: case for i, case in enumerate(cases) if case is not None and len(case.effects) >= FEWEST}
    raw = [case.p for case in decidable.values()]
    ranks = _confidences(raw)
    found = {
        i: _decide(decidable[i], p, adjusted, confidence, len(decidable))
        for i, p, adjusted, confidence in zip(decidable, raw, holm(raw) if raw else [], ranks, strict=True)
    }
    return [found.get(i) or _undecidable(claim, cases[i]) for i, claim in enumerate(claims)]


def _confidences(p: Sequence[float]) -> list[float]:
    """The confidence at which Holm's correction looks at each: 1 - alpha / (m - k + 1) for the k-th smallest p."""
    order = sorted(range(len(p)), key=p.__getitem__)
    return [1 - ALPHA / (len(p) - order.index(i)) for i in range(len(p))]


def _decide(case: _Case, p: float, adjusted: float, confidence: float, claims: int) -> Verdict:
    found, region = compare(case.effects), case.region
    word: Word = "inconclusive"
    if adjusted < ALPHA:
        word = "supported" if region.p_holds(case.effects) <= region.p_wrong(case.effects) else "contradicted"
    needed = _seeds_needed(case, found) if word == "inconclusive" else None
    return _verdict(
        case,
        verdict=word,
        reason=_reason(word, case, found, adjusted) + (f" {_more(needed, case)}" if word == "inconclusive" else ""),
        test=_words(case, claims),
        effect=found.effect,
        ci95=found.ci,
        ci_holm=interval(case.effects, confidence),
        p=p,
        p_holm=adjusted,
        hedges_g=_finite(found.hedges_g),
        seeds_needed=needed,
    )


def _verdict(case: _Case, **values: Any) -> Verdict:
    claim, sample, region = case.claim, case.sample, case.region
    return Verdict(
        id=claim.id,
        text=claim.text,
        source=claim.source,
        measured=claim.test.words(),
        smallest_effect=getattr(claim.test, "smallest", None),
        claimed=(_finite(region.low), _finite(region.high)),
        n=len(sample.effects),
        cells=tuple(sorted(sample.cells)),
        left_out=dict(sample.left_out),
        **values,
    )


def _finite(end: float) -> float | None:
    return end if math.isfinite(end) else None


def _undecidable(claim: Claim, case: _Case | None) -> Verdict:
    if case is None:
        reason, test = "Nobody has said yet how this is to be tested.", "none"
        return Verdict(claim.id, claim.text, claim.source, "inconclusive", reason, test)
    n = len(case.effects)
    seeds = "no seed" if n == 0 else "1 seed" if n == 1 else f"{n} seeds"
    reason = f"There is an effect for {seeds}, and fewer than {FEWEST} decide nothing.{_because(case.sample)}"
    if not n and not case.sample.left_out:
        reason = "No cell of this experiment is what the claim speaks of."
    mean = sum(case.effects) / n if n else None
    between = interval(case.effects) if n > 1 else None
    return _verdict(case, verdict="inconclusive", reason=reason, test=_words(case, 1), effect=mean, ci95=between)


def _because(sample: Sample) -> str:
    """What did not count, as a sentence of its own."""
    told = ", ".join(f"{count} {reason}" for reason, count in sample.left_out.items())
    return f" Left out: {told}." if told else ""


def _words(case: _Case, claims: int) -> str:
    mean = f"mean over seeds of the {case.claim.test.words()}, {_claimed(case.region)}"
    return f"{mean}; Student's t{f', Holm over {claims} claims' if claims > 1 else ''}"


def _claimed(region: Region) -> str:
    if not math.isfinite(region.high):
        return f"above {region.low:.3g}"
    if not math.isfinite(region.low):
        return f"below {region.high:.3g}"
    return f"between {region.low:.3g} and {region.high:.3g}"


def _reason(word: Word, case: _Case, found: Comparison, adjusted: float) -> str:
    place = f"The effect is {found.effect:.3g}, 95 % between {found.ci[0]:.3g} and {found.ci[1]:.3g}"
    claimed = _claimed(case.region)
    sure = f"p = {adjusted:.2g}" if found.sd else "the same for every seed"
    said = {
        "supported": f"wholly {claimed}, as claimed ({sure})",
        "contradicted": f"wholly on the other side of what is claimed, {claimed} ({sure})",
        "inconclusive": f"which does not settle whether it is {claimed} ({sure})",
    }
    return f"{place}: {said[word]}.{_because(case.sample)}"


def _seeds_needed(case: _Case, found: Comparison) -> int | None:
    """By the scatter over seeds; None where they do not vary, or where no number of seeds would do.

    Where the measured effect already lies on a side, seeds that would decide it if it is what it seems; else seeds that
    would tell the smallest effect from none.
    """
    region = case.region
    both = math.isfinite(region.low) and math.isfinite(region.high)
    beyond = _beyond(region, found.effect)
    width = (region.high - region.low) / 2 if both else abs(region.low if math.isfinite(region.low) else region.high)
    seen = beyond or width or abs(found.effect)
    if not found.sd or not seen:
        return None
    enough: Callable[[float], int | None] = required_n_equal if both and not beyond else required_n
    return enough(seen / found.sd)


def _beyond(region: Region, effect: float) -> float:
    """How far inside the claimed effects, or inside the wrong ones, an effect lies; 0 where in neither."""
    inside = min(effect - region.low, region.high - effect)
    wrong = max(region.wrong_below - effect, effect - region.wrong_above)
    return max(inside, wrong, 0.0)


def _more(needed: int | None, case: _Case) -> str:
    if needed is None or needed <= len(case.effects):
        return "More seeds may not settle it."
    effect = sum(case.effects) / len(case.effects)
    what = "an effect like this" if _beyond(case.region, effect) else "the smallest effect that matters"
    return f"{needed} seeds would show {what} four times in five."
