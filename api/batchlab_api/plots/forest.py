"""Numbers of the plot of verdicts: for each claim its effect and interval, and the effects that agree with it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from batchlab.verdicts import Verdict

from batchlab_api.plots import words
from batchlab_api.plots.source import Source

ORDER = ("supported", "contradicted", "inconclusive")


@dataclass(frozen=True)
class Strip:
    """A claim with its effect; None for numbers that there are not."""

    text: str
    verdict: Literal["supported", "contradicted", "inconclusive"]
    measured: str
    n: int
    p: float | None
    effect: float | None
    low: float | None
    """Ends of the 95 % interval of the claim alone."""
    high: float | None
    wide_low: float | None
    """Ends of the interval that decides, at the confidence of Holm's correction."""
    wide_high: float | None
    claimed_low: float | None
    """The effects that agree with the claim; None for an open end."""
    claimed_high: float | None


@dataclass(frozen=True)
class Forest:
    """All that the plot shows."""

    title: str
    lines: tuple[str, ...]
    """The subtitle, to be wrapped."""
    strips: tuple[Strip, ...]


def measure(source: Source, title: str) -> Forest:
    """Collect the verdicts that have a test."""
    strips = tuple(_strip(verdict) for verdict in source.verdicts if verdict.measured)
    what = "Point and thick bar: mean effect and its 95 % t interval; thin bar: corrected for several claims (Holm)"
    lines = (words.setting(source), f"{what}; shaded: effects that agree with the claim", *words.missing(source.cells))
    return Forest(title, lines, strips)


def _strip(verdict: Verdict) -> Strip:
    low, high = verdict.ci95 or (None, None)
    wide_low, wide_high = verdict.ci_holm or (None, None)
    return Strip(
        verdict.text, verdict.verdict, verdict.measured, verdict.n, verdict.p_holm, verdict.effect, low, high,
        wide_low, wide_high, *verdict.claimed,
    )  # fmt: skip


def said(strip: Strip) -> str:
    """The verdict with its p and n: "supported, p = 0.001, n = 5"."""
    p = "" if strip.p is None else f"p {'< 0.001' if strip.p < 0.001 else f'= {strip.p:.2g}'}"
    return words.joined(strip.verdict, p, f"n = {strip.n}")


def sentence(numbers: Forest) -> str:
    """What the plot shows, in one sentence."""
    counts = Counter[str](strip.verdict for strip in numbers.strips)
    parts = [f"{counts[verdict]} {verdict}" for verdict in ORDER if counts[verdict]]
    return f"{numbers.title}: {', '.join(parts) or 'no claim has a test'}."


def table(numbers: Forest) -> list[dict[str, Any]]:
    """One row a claim."""
    return [
        {
            "claim": strip.text,
            "verdict": strip.verdict,
            "effect": strip.effect,
            "ci95_low": strip.low,
            "ci95_high": strip.high,
            "claimed_from": strip.claimed_low,
            "claimed_to": strip.claimed_high,
            "n": strip.n,
            "p": strip.p,
        }
        for strip in numbers.strips
    ]


def known(strip: Strip) -> Sequence[float]:
    """Every number that the strip has to show, and zero."""
    ends = (strip.effect, strip.low, strip.high, strip.wide_low, strip.wide_high, strip.claimed_low, strip.claimed_high)
    return [0.0, *(end for end in ends if end is not None)]
