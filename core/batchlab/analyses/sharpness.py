"""Sharpness: how much the loss rises around the weights, by several definitions that can stand side by side."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from batchlab.analyses.base import Finding, Held, Subject, Work, share
from batchlab.analyses.weights import Count, OfWeights, Positive
from batchlab.kinds import Kind

if TYPE_CHECKING:
    from torch import Tensor

    from batchlab.analyses.measured import Measured
    from batchlab.analyses.problem import Problem


class Measure(Kind):
    """A definition of sharpness."""

    family: ClassVar[str] = "measures"

    @property
    def label(self) -> str:
        """A name that tells it from other settings of the same definition."""
        return self.tag()

    @abstractmethod
    def measure(self, problem: "Problem", w: "Tensor", seed: int, held: Held) -> "Work[Measured]":
        """Its value at weights `w`."""


class Keskar(Measure):
    """Keskar et al. 2017: 100 (max f - f) / (1 + f) in the box |y_i| <= eps (|x_i| + 1), whole or in a subspace.

    The maximum is the best of some searches by L-BFGS-B that start inside the box.
    """

    kind: Literal["keskar"] = "keskar"
    eps: Positive = 1e-3
    """Width of the box (the source: 1e-3 and 5e-4)."""
    subspace: Count | None = None
    """Dimensions of a random subspace (the source: 100); the whole space where null."""
    restarts: Annotated[int, Field(ge=1, le=100)] = 2
    """Searches."""
    iterations: Annotated[int, Field(ge=1, le=1000)] = 10
    """Of each search."""

    @property
    def label(self) -> str:
        return f"keskar_{self.eps:g}" + ("" if self.subspace is None else f"_p{self.subspace}")

    def measure(self, problem: "Problem", w: "Tensor", seed: int, held: Held) -> "Work[Measured]":
        from batchlab.analyses.keskar import Space, eps_sharpness

        space = Space(problem, self.subspace, seed)
        return eps_sharpness(
            problem, w, space, eps=self.eps, restarts=self.restarts, iterations=self.iterations, seed=seed, held=held
        )


class WorstCase(Measure):
    """The largest rise within |d / c| <= rho, by APGD; c = |w| (adaptive) or 1. Per group of rows, averaged.

    Andriushchenko et al. 2023.
    """

    kind: Literal["worst_case"] = "worst_case"
    norm: Literal["l2", "linf"] = "linf"
    rho: Positive = 0.002
    """Radius, in units of c."""
    adaptive: bool = True
    """Whether steps are measured in units of each weight's size."""
    group: Count | None = 128
    """Rows that share a worst case (m-sharpness); all rows where null."""
    steps: Annotated[int, Field(ge=1, le=1000)] = 20
    """Of the search."""

    @property
    def label(self) -> str:
        return f"worst_case_{self.norm}_{self.rho:g}" + ("" if self.adaptive else "_plain")

    def measure(self, problem: "Problem", w: "Tensor", seed: int, held: Held) -> "Work[Measured]":
        from batchlab.analyses.perturbation import worst_case

        options = self.model_dump(exclude={"kind"})
        return worst_case(problem, w, **options, seed=seed, held=held)


class OneStep(Measure):
    """The rise after the one step up that SAM takes (Foret et al. 2021), or ASAM (Kwon et al. 2021)."""

    kind: Literal["one_step"] = "one_step"
    rho: Positive = 0.05
    """Length of the step, in units of c."""
    adaptive: bool = False
    """Whether c = |w| (ASAM, whose rho is 0.5 to 2) or 1 (SAM)."""

    @property
    def label(self) -> str:
        return f"one_step_{self.rho:g}" + ("_adaptive" if self.adaptive else "")

    def measure(self, problem: "Problem", w: "Tensor", seed: int, held: Held) -> "Work[Measured]":
        from batchlab.analyses.perturbation import one_step

        yield from ()
        return one_step(problem, w, rho=self.rho, adaptive=self.adaptive)


class AverageCase(Measure):
    """The mean rise under normal perturbations of standard deviation sigma c, with its standard error."""

    kind: Literal["average_case"] = "average_case"
    sigma: Positive = 0.01
    """Standard deviation, in units of c."""
    adaptive: bool = False
    """Whether c = |w| or 1."""
    draws: Annotated[int, Field(ge=2, le=100_000)] = 50
    """Perturbations, each taken with its opposite."""

    @property
    def label(self) -> str:
        return f"average_case_{self.sigma:g}" + ("_adaptive" if self.adaptive else "")

    def measure(self, problem: "Problem", w: "Tensor", seed: int, held: Held) -> "Work[Measured]":
        from batchlab.analyses.perturbation import average_case

        return average_case(
            problem, w, sigma=self.sigma, adaptive=self.adaptive, draws=self.draws, seed=seed, held=held
        )


MeasureUnion = Annotated[Keskar | WorstCase | OneStep | AverageCase, Field(discriminator="kind")]


class Sharpness(OfWeights):
    """How much the loss rises around the weights, by one or several definitions; Keskar's with eps 1e-3 by default.

    Values are named by definition and settings. With `rescale`, each is measured again at weights that give the same
    function (one layer times a factor, the next over it): what moves depends on the coordinates (Dinh et al. 2017).
    """

    kind: Literal["sharpness"] = "sharpness"
    measures: Annotated[tuple[MeasureUnion, ...], Field(min_length=1, max_length=20)] = (Keskar(),)
    """The definitions."""
    rescale: Positive | None = None
    """The factor of the self-test; none where null."""

    def work(self, subjects: Sequence[Subject], held: Held, device: str) -> Work[Finding]:
        from batchlab.analyses.rescaling import rescaled

        problem = self.problem(subjects[0], device)
        places = {"": problem.weights}
        moved = None if self.rescale is None else rescaled(problem, problem.weights, self.rescale)
        if moved is not None:
            places["_rescaled"] = moved
        todo = [(m.label + suffix, m, w) for m in self.measures for suffix, w in places.items()]
        for i, (name, measure, w) in enumerate(todo):
            if name not in held:
                found = yield from share(measure.measure(problem, w, self.seed, held.part(name)), i, len(todo))
                held.part(name).clear()
                held.keep(name, asdict(found))
                yield (i + 1) / len(todo)
        meta = problem.meta() | ({} if self.rescale is None else {"rescaling_applies": moved is not None})
        return side_by_side({name: held.kept(name) for name, _, _ in todo}, meta)


def side_by_side(found: Mapping[str, Mapping[str, Any]], meta: Mapping[str, Any]) -> Finding:
    """Measured values with their standard errors, flags and facts by name."""
    facts = {
        "standard_error": {name: m["standard_error"] for name, m in found.items()},
        "converged": all(m["converged"] for m in found.values()),
        "details": {name: {"converged": m["converged"], **m["facts"]} for name, m in found.items()},
    }
    return Finding({name: m["value"] for name, m in found.items()}, {}, {**meta, **facts})
