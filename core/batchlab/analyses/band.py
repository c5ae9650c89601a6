"""A path between two solutions of as many points as it takes, found by an elastic band."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from batchlab.analyses.base import Finding, Held, Inputs, Subject, Work, share
from batchlab.analyses.connection import EXACT, Between, Points, described
from batchlab.analyses.weights import Count


class ElasticBand(Between):
    """A chain of points from one cell's weights to another's that follows the loss downhill across itself: AutoNEB.

    Each point moves by the part of its gradient that is across the chain, towards which springs keep the points equally
    far from each other; after each of fourteen cycles, two more points are put where the chain is highest (Draxler et
    al. 2018). Values and arrays as of a connecting path, and `pivots`, the number of points with the ends.
    """

    kind: Literal["elastic_band"] = "elastic_band"
    inputs: ClassVar[Inputs] = "two"
    updates: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Of a cycle (the source: 1000); two of the cycles have twice as many."""
    batch: Count = 512
    """Rows of each update."""
    points: Points = 61
    """Places along the chain at which it is evaluated."""

    def work(self, subjects: Sequence[Subject], held: Held, device: str) -> Work[Finding]:
        from batchlab.analyses.elastic import band, chain, cycles, slopes_of
        from batchlab.analyses.paths import batch_rows

        problem = self.problem(subjects[0], device)
        first, last = self.ends(problem, subjects)
        size = min(self.batch, problem.rows)
        slopes = slopes_of(problem, lambda update: batch_rows(problem.rows, size, self.seed, update))
        search = band(problem, first, last, plan=cycles(self.updates), slopes=slopes, held=held.part("band"))
        pivots = yield from share(search, 0, 2)
        values, arrays = yield from share(described(problem, chain(pivots), self.points, held), 1, 2)
        facts = {"shape": "chain", "aligned": self.align} | EXACT
        return Finding(values | {"pivots": len(pivots)}, arrays, problem.meta() | facts)
