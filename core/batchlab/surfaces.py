"""Surfaces over the plane: losses of two parameters on which a descent can be watched.

Each formula uses arithmetic alone, so that numpy draws the contours of what torch trains on.
"""

from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from batchlab.kinds import Kind, union

Point = tuple[float, float]
Bound = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class SurfaceKind(Kind):
    """A loss of two numbers."""

    family: ClassVar[str] = "surfaces"
    start: ClassVar[Point]
    """Where a descent starts unless the spec says otherwise."""

    @abstractmethod
    def value(self, x: Any, y: Any) -> Any:
        """The loss at (x, y): numbers, numpy arrays or tensors of one shape; what is returned is of their type."""


class Quadratic(SurfaceKind):
    """A bowl: `(a x^2 + b y^2) / 2`, whose curvatures are a and b."""

    kind: Literal["quadratic"] = "quadratic"
    start: ClassVar[Point] = (2.0, 1.0)
    a: Positive = 1.0
    """Curvature along x."""
    b: Positive = 4.0
    """Curvature along y."""

    def value(self, x: Any, y: Any) -> Any:
        return (self.a * x**2 + self.b * y**2) / 2


class Ravine(SurfaceKind):
    """A long valley between steep walls: `(x^2 + steepness * y^2) / 2`."""

    kind: Literal["ravine"] = "ravine"
    start: ClassVar[Point] = (-4.0, 1.0)
    steepness: Positive = 25.0
    """Curvature across the valley, where the curvature along it is 1."""

    def value(self, x: Any, y: Any) -> Any:
        return (x**2 + self.steepness * y**2) / 2


class Saddle(SurfaceKind):
    """A saddle: `(x^2 - y^2) / 2 + bound * y^4 / 4`. Falls without end along y where `bound` is 0."""

    kind: Literal["saddle"] = "saddle"
    start: ClassVar[Point] = (1.0, 0.0)
    bound: Bound = 0.0
    """Where it is positive, there are two minima at y = 1 / sqrt(bound) and its negative."""

    def value(self, x: Any, y: Any) -> Any:
        return (x**2 - y**2) / 2 + self.bound * y**4 / 4


class MonkeySaddle(SurfaceKind):
    """Three valleys and three ridges that meet in a point without curvature: `x^3 - 3 x y^2 + bound * r^4 / 4`."""

    kind: Literal["monkey_saddle"] = "monkey_saddle"
    start: ClassVar[Point] = (0.5, 0.0)
    bound: Bound = 0.0
    """Where it is positive, the surface rises again far out (r is the distance from the origin)."""

    def value(self, x: Any, y: Any) -> Any:
        return x**3 - 3 * x * y**2 + self.bound * (x**2 + y**2) ** 2 / 4


class Plateau(SurfaceKind):
    """A hole in a plain: `r^2 / (1 + r^2)`. The farther from the origin, the flatter: the slope falls as `2 / r^3`."""

    kind: Literal["plateau"] = "plateau"
    start: ClassVar[Point] = (3.0, 1.5)

    def value(self, x: Any, y: Any) -> Any:
        squared = x**2 + y**2
        return squared / (1 + squared)


class LocalMinima(SurfaceKind):
    """Two hollows behind a barrier: `height * (x^2 - 1)^2 + tilt * x + y^2 / 2`. The one at x near -1 is the deeper."""

    kind: Literal["local_minima"] = "local_minima"
    start: ClassVar[Point] = (1.8, 0.6)
    height: Positive = 0.25
    """Of the barrier at x near 0, over the hollows where there is no tilt."""
    tilt: Annotated[float, Field(ge=0)] = 0.05
    """Slope towards the deeper hollow; beyond about 1.5 times the height there is no other."""

    def value(self, x: Any, y: Any) -> Any:
        return self.height * (x**2 - 1) ** 2 + self.tilt * x + y**2 / 2


class Rosenbrock(SurfaceKind):
    """The banana valley: `(1 - x)^2 + 100 (y - x^2)^2`, least at (1, 1) (Rosenbrock 1960)."""

    kind: Literal["rosenbrock"] = "rosenbrock"
    start: ClassVar[Point] = (-1.2, 1.0)

    def value(self, x: Any, y: Any) -> Any:
        return (1 - x) ** 2 + 100 * (y - x**2) ** 2


class Beale(SurfaceKind):
    """`(1.5 - x + xy)^2 + (2.25 - x + xy^2)^2 + (2.625 - x + xy^3)^2`, least at (3, 0.5) (Beale 1958)."""

    kind: Literal["beale"] = "beale"
    start: ClassVar[Point] = (1.0, 1.0)

    def value(self, x: Any, y: Any) -> Any:
        return sum((target - x + x * y**power) ** 2 for power, target in ((1, 1.5), (2, 2.25), (3, 2.625)))


class Himmelblau(SurfaceKind):
    """`(x^2 + y - 11)^2 + (x + y^2 - 7)^2`, which is 0 at four points, (3, 2) among them (Himmelblau 1972)."""

    kind: Literal["himmelblau"] = "himmelblau"
    start: ClassVar[Point] = (0.0, 0.0)

    def value(self, x: Any, y: Any) -> Any:
        return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


Surface: Any = union(
    "surfaces", Quadratic, Ravine, Saddle, MonkeySaddle, Plateau, LocalMinima, Rosenbrock, Beale, Himmelblau
)
