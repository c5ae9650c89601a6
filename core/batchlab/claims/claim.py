"""A claim: a sentence of a source, with the test that decides whether the data at hand bear it out."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Claim:
    """A sentence of the source that measured data can support or contradict."""

    id: str
    text: str
    source: str
    test: Any = None
    """A member of `batchlab.claims.Test`; None while nobody has said how it is to be tested."""
