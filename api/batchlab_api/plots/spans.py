"""How far lines reach along their x axis: one axis for all panels, one for each, or a log axis."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

Span = Literal["shared", "own", "log"]
APART = 4.0
"""Panels whose lines end further apart than this factor take an x axis each."""
FAR = 20.0
"""Lines of one panel whose ends are further apart than this factor need a log axis: a line would be a stroke at 0."""


def span(ends: Mapping[str, Sequence[float]]) -> Span:
    """The x axis for lines that end there, by panel; ends that are not positive do not count."""
    found = [own for every in ends.values() if (own := [end for end in every if end > 0])]
    whole = _ratio(end for own in found for end in own)
    if len(found) > 1 and whole > APART and all(_ratio(own) <= FAR for own in found):
        return "own"
    return "log" if whole > FAR else "shared"


def _ratio(values: Iterable[float]) -> float:
    known = list(values)
    return max(known) / min(known) if known else 1.0
