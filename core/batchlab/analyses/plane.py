"""The loss in the plane through three solutions."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from batchlab.analyses.base import Finding, Held, Inputs, Subject, Work
from batchlab.analyses.connection import Between
from batchlab.analyses.landscape import around, over_grid, picture
from batchlab.errors import DataError


class Plane(Between):
    """The loss in the plane through three cells' weights (Garipov et al. 2018, figure 1).

    The first cell is the origin, the second lies on the x axis; both axes are lengths in the space of weights. Arrays:
    `places` of the three, (3, 2), and the grid as in a landscape. Statistics of batch normalisation are re-estimated at
    every point unless kept.
    """

    kind: Literal["plane"] = "plane"
    inputs: ClassVar[Inputs] = "three"
    points: Annotated[int, Field(ge=3, le=501)] = 21
    """Of the grid along each direction."""
    margin: Annotated[float, Field(ge=0, le=10)] = 0.2
    """How far the grid goes beyond the cells, of their distances."""

    def work(self, subjects: Sequence[Subject], held: Held, device: str) -> Work[Finding]:
        from batchlab.analyses.directions import plane_through

        problem = self.problem(subjects[0], device)
        found = plane_through(*self.ends(problem, subjects))
        if found is None:
            raise DataError("the weights of the three cells lie on one line: choose others, or an interpolation")
        axes, places = found
        grid = [around(column, self.margin, self.points) for column in places.T]
        finding = picture(problem, grid, (yield from over_grid(problem, list(axes), grid, held)))
        meta = {**finding.meta, "directions": "through three cells", "aligned": self.align}
        return Finding(finding.values, {**finding.arrays, "places": places}, meta)
