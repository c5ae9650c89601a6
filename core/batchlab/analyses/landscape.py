"""The loss around a cell's weights, on a line or in a plane; and the plane in which its training moved."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from batchlab.analyses.base import Finding, Held, Needs, Subject, Work
from batchlab.analyses.weights import OfWeights, Positive
from batchlab.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from batchlab.analyses.heights import Heights
    from batchlab.analyses.problem import Problem

Axes = list[NDArray[np.float64]]


class Landscape(OfWeights):
    """The loss along one or two random directions from the weights, each scaled filter by filter (Li et al. 2018).

    Cells of one network share directions (before the scaling by their own weights) and range, so that their pictures
    compare. Arrays: `x` (and `y`), `loss`, `loss_error` (its standard error as of a sample of rows) and `accuracy`,
    with y along the rows. Statistics of batch normalisation are re-estimated at every point unless kept.
    """

    kind: Literal["landscape"] = "landscape"
    dimensions: Literal[1, 2] = 2
    """Directions."""
    points: Annotated[int, Field(ge=3, le=501)] = 21
    """Of the grid along each direction (the source: 51)."""
    extent: Positive = 1.0
    """The grid goes from minus this to this, in units of the scaled direction."""
    normalise: Literal["filter", "layer", "none"] = "filter"
    """What gets the length of the weights it moves: each filter, each layer, or nothing."""

    def work(self, subjects: Sequence[Subject], held: Held, device: str) -> Work[Finding]:
        from batchlab.analyses.directions import cosine, random_direction

        problem = self.problem(subjects[0], device)
        moves = [random_direction(problem, self.seed, i, self.normalise) for i in range(self.dimensions)]
        axes = [np.linspace(-self.extent, self.extent, self.points)] * self.dimensions
        found = yield from over_grid(problem, moves, axes, held)
        finding = picture(problem, axes, found)
        values = dict(finding.values) | ({"cosine": cosine(*moves)} if self.dimensions == 2 else {})
        return Finding(values, finding.arrays, {**finding.meta, "normalise": self.normalise, "directions": "random"})


class Trajectory(OfWeights):
    """The way that training took, in the plane of its first two principal components, over the loss in that plane.

    `explained_1` and `explained_2` are the shares of the way's variance along each: what lies outside the plane is not
    in the picture. Arrays: `steps` and `places` of the checkpoints, relative to the last one, and the grid as in a
    landscape. Needs at least three checkpoints of the cell.
    """

    kind: Literal["trajectory"] = "trajectory"
    needs: ClassVar[Needs] = "trajectory"
    points: Annotated[int, Field(ge=3, le=501)] = 21
    """Of the grid along each direction."""
    margin: Annotated[float, Field(ge=0, le=10)] = 0.2
    """How far the grid goes beyond the trajectory, of its width."""

    def work(self, subjects: Sequence[Subject], held: Held, device: str) -> Work[Finding]:
        import torch

        from batchlab.analyses.directions import principal_plane

        kept = dict(sorted(subjects[0].weights.items()))
        if len(kept) < 3:
            raise DataError(f"a trajectory needs at least 3 checkpoints, there are {len(kept)}: keep more of the cell")
        problem = self.problem(subjects[0], device)
        plane = principal_plane(torch.stack([problem.flatten(weights) for weights in kept.values()]))
        axes = [around(column, self.margin, self.points) for column in plane.places.T]
        found = yield from over_grid(problem, list(plane.axes), axes, held)
        finding = picture(problem, axes, found)
        values = {**finding.values, "explained_1": plane.explained[0], "explained_2": plane.explained[1]}
        arrays = {**finding.arrays, "steps": np.array(list(kept)), "places": plane.places}
        return Finding(values, arrays, {**finding.meta, "directions": "principal components"})


def around(places: NDArray[np.float64], margin: float, points: int) -> NDArray[np.float64]:
    """A range that covers these places and some more."""
    low, high = float(places.min()), float(places.max())
    more = margin * ((high - low) or 1.0)
    return np.linspace(low - more, high + more, points)


def over_grid(problem: "Problem", moves: "list[Tensor]", axes: Axes, held: Held) -> "Work[Heights]":
    """The heights at w + sum of coordinate times direction, the last axis along the rows of the result."""
    from batchlab.analyses.heights import heights

    places = np.stack([mesh.ravel() for mesh in np.meshgrid(*axes)], axis=1)

    def at(i: int) -> "Tensor":
        w = problem.weights
        for coordinate, move in zip(places[i], moves, strict=True):
            w = w + float(coordinate) * move
        return w

    found = yield from heights(problem, len(places), at, held, {problem.part: problem.table})
    return found[problem.part]


def picture(problem: "Problem", axes: Axes, found: "Heights") -> Finding:
    """Heights over a grid as a finding: arrays of the grid's shape, and what stands out."""
    shape = tuple(len(axis) for axis in reversed(axes))
    arrays: dict[str, Any] = dict(zip(("x", "y"), axes, strict=False))
    arrays |= {"loss": found.loss.reshape(shape), "loss_error": found.error.reshape(shape)}
    if not np.isnan(found.accuracy).all():
        arrays["accuracy"] = found.accuracy.reshape(shape)
    problem.settle(problem.weights)
    centre = problem.losses(problem.weights)
    finite = found.loss[np.isfinite(found.loss)]
    values = {
        "loss": float(centre.mean()),
        "lowest": float(finite.min()) if finite.size else None,
        "highest": float(finite.max()) if finite.size else None,
    }
    error = float(centre.std() / len(centre) ** 0.5) if len(centre) > 1 else None
    return Finding(values, arrays, problem.meta() | {"standard_error": {"loss": error}, "converged": True})
