"""How many seeds it takes to see a difference between two points of a sweep, by the scatter of what is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from batchlab.claims.quantities import Row, number
from batchlab.results import point_of
from batchlab.statistics import power, required_n


@dataclass(frozen=True)
class Pair:
    """Two neighbouring points of a sweep, compared by seed."""

    a: dict[str, Any]
    """The point: variant, batch_size, lr, momentum and the further axes."""
    b: dict[str, Any]
    n: int
    """Seeds that both have."""
    mean: float | None
    """Of b minus a; None without a seed."""
    sd: float | None
    """Of the differences; None below two seeds."""
    power: float | None
    """Chance that a t test of so many seeds sees a difference as large as asked."""
    seeds: int | None
    """Seeds that see it four times in five; None where there is no scatter to judge by, or over ten thousand."""


def pairs(rows: Sequence[Row], metric: str, difference: float) -> list[Pair]:
    """Each point of the sweep with the next one, in the order of the cells: what it takes to see `difference`."""
    points: dict[tuple[Any, ...], dict[int, float]] = {}
    for row in rows:
        own = points.setdefault(tuple(point_of(row).items()), {})
        if row["status"] == "succeeded" and (value := number((row["result"] or {}).get(metric))) is not None:
            own[row["seed"]] = value
    return [_pair(dict(a), dict(b), points[a], points[b], difference) for a, b in pairwise(points)]


def _pair(a: dict[str, Any], b: dict[str, Any], at_a: dict[int, float], at_b: dict[int, float], asked: float) -> Pair:
    differences = [at_b[seed] - at_a[seed] for seed in at_a if seed in at_b]
    n = len(differences)
    mean = float(np.mean(differences)) if n else None
    sd = float(np.std(differences, ddof=1)) if n > 1 else None
    if not sd:
        return Pair(a, b, n, mean, sd, None, None)
    return Pair(a, b, n, mean, sd, power(asked / sd, n), required_n(asked / sd))
