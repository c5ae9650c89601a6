"""Synthetic cells for tests of claims."""

from collections.abc import Callable, Sequence
from typing import Any

from batchlab.claims import Claim, Evidence, Verdict, judge

Row = dict[str, Any]


def row(ordinal: int, result: Row | None, **point: Any) -> Row:
    """A cell of batch 8 at the rate 0.1, seed 0, succeeded, unless said otherwise."""
    own = {"variant": None, "batch_size": 8, "lr": 0.1, "momentum": None, "params": {}, "seed": 0, "shared_with": 0}
    return {"ordinal": ordinal, "status": "succeeded", **own, "result": result, **point}


def sweep(batches: Sequence[int], seeds: int, value: Callable[[int, int], float], key: str = "y") -> list[Row]:
    """A cell for every batch size and seed, with `value(batch, seed)` under `key` of its result."""
    points = [(batch, seed) for batch in batches for seed in range(seeds)]
    return [row(i, {key: value(*point)}, batch_size=point[0], seed=point[1]) for i, point in enumerate(points)]


def verdict(test: Any, rows: Sequence[Row], **evidence: Any) -> Verdict:
    """The verdict on one claim with this test."""
    (found,) = judge([Claim("c", "Text.", "here", test)], Evidence(rows, **evidence))
    return found
