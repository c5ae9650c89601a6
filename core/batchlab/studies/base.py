"""What a study is made of: data, and one function that gives a complete spec in three sizes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from batchlab.claims import Claim
from batchlab.merging import merge

Size = Literal["smoke", "small", "full"]
Document = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """A preset. `build` gives its spec in three sizes: smoke (seconds), small (minutes), full (as in the source)."""

    name: str
    title: str
    source: str
    question: str
    doc: str
    plots: tuple[str, ...]
    claims: tuple[Claim, ...]
    build: Callable[[Size], Document]

    def spec(self, size: Size = "full", overrides: Mapping[str, Any] | None = None) -> Document:
        """The complete spec of this size, with `overrides` merged over it (RFC 7396)."""
        own = {"name": self.name, "study": self.name, "tags": ["study"]} | self.build(size)
        merged: Document = merge(own, dict(overrides or {}))
        return merged
