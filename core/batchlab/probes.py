"""Probes: what is measured at every update, beside the loss and the step time, or at evaluations.

A probe declares the metrics it gives and what it needs; the engine computes what is needed once for all of them and
never asks which probe it is.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from batchlab.evaluation_probes import GradientVariance, NoiseScale, TopEigenvalue
from batchlab.kinds import Kind, union

if TYPE_CHECKING:
    from torch import Tensor

    from batchlab.engines.task import Task

Need = Literal["gradient", "update", "parameters", "distance", "position", "parts", "turn", "change"]
"""What an engine measures. A norm for each parameter: of the `gradient`, of the `update`, of the `parameters` before
it, of their `distance` from the initial ones after it. Or numbers: the `position`, all numbers of the model before the
update; the `parts` of the step, minus rate times gradient, the rest, and the sum of both, each as all its numbers (of a
model of at most `FEW`) or as its norm; the `turn`, the cosine of the gradient and the one before; the `change` of the
logarithm of the loss."""
FEW = 10
"""A model of at most so many numbers may be recorded number by number."""
Norms = NDArray[np.float64]
Shapes = Mapping[str, tuple[int, ...]]
"""A model's parameters, by name."""


class ProbeKind(Kind):
    """What an engine measures at every update, and the metrics that are made of it."""

    family: ClassVar[str] = "probes"
    need: ClassVar[Need]
    """What the engine must measure."""
    evaluated: ClassVar[tuple[str, ...]] = ()
    """Names of its metrics at evaluations."""

    @abstractmethod
    def metrics(self, parameters: Shapes) -> tuple[str, ...]:
        """Names of the metrics of this probe for a model with these parameters."""

    @abstractmethod
    def values(self, measured: Norms, parameters: Shapes) -> dict[str, Norms]:
        """The metrics, each of shape (updates,), from what was measured: a row for each update."""

    def fault(self, parameters: Shapes) -> str | None:
        """What keeps this from being measured on such a model."""
        return None

    def evaluate(self, task: "Task") -> "dict[str, Tensor]":
        """What it measures at an evaluation, by name."""
        return {}

    def crossings(self) -> dict[str, tuple[str, float]]:
        """For keys of the cell's result: the metric and the limit; the first update over it is the result."""
        return {}

    def means(self, found: Mapping[str, float | None]) -> dict[str, float | None]:
        """Means that take the place of those of single values, by the result's key; `found` has all of these."""
        return {}

    def costs(self, sums: Mapping[str, float], seconds: float) -> dict[str, float | None]:
        """What measuring took beside so many `seconds` of training, by the result's key; `sums` are those of its
        metrics over the run."""
        return {}


class _NormProbe(ProbeKind):
    prefix: ClassVar[str]
    per_parameter: ClassVar[bool] = False

    def metrics(self, parameters: Shapes) -> tuple[str, ...]:
        if not self.per_parameter:
            return (self.prefix,)
        kinds = (f"{self.prefix}_weights", f"{self.prefix}_biases")
        return (self.prefix, *kinds, *(f"{self.prefix}/{name}" for name in parameters))

    def values(self, measured: Norms, parameters: Shapes) -> dict[str, Norms]:
        columns = dict(zip(parameters, measured.T, strict=True))
        biases = {name for name in parameters if is_bias(name)}
        found = {self.prefix: _together(columns.values(), len(measured))}
        if self.per_parameter:
            for part, names in (("weights", set(parameters) - biases), ("biases", biases)):
                found[f"{self.prefix}_{part}"] = _together(
                    (columns[n] for n in parameters if n in names), len(measured)
                )
            found |= {f"{self.prefix}/{name}": column for name, column in columns.items()}
        return found


def is_bias(parameter: str) -> bool:
    """Whether a parameter of this name is a bias; everything else counts as a weight."""
    return parameter.rpartition(".")[2] == "bias"


def _together(columns: Iterable[Norms], updates: int) -> Norms:
    """The norm of all parts together. Summed part by part, so that no bit depends on how many updates there are."""
    squares = np.zeros(updates)
    for column in columns:
        squares += column**2
    return np.sqrt(squares)


class GradNorm(_NormProbe):
    """Frobenius norm of the batch gradient: of all parameters, of weights, of biases and of each parameter.

    The gradient is that of the loss over the batch, before weight decay, at the weights before the update.
    """

    kind: Literal["grad_norm"] = "grad_norm"
    need: ClassVar[Need] = "gradient"
    prefix: ClassVar[str] = "grad_norm"
    per_parameter: ClassVar[bool] = True


class UpdateNorm(_NormProbe):
    """Norm of the step that the update took: the weights after it minus the weights before it."""

    kind: Literal["update_norm"] = "update_norm"
    need: ClassVar[Need] = "update"
    prefix: ClassVar[str] = "update_norm"


class ParamNorm(_NormProbe):
    """Norm of all parameters, before the update."""

    kind: Literal["param_norm"] = "param_norm"
    need: ClassVar[Need] = "parameters"
    prefix: ClassVar[str] = "param_norm"


class Distance(_NormProbe):
    """Distance of the parameters from the initial ones, after the update."""

    kind: Literal["distance"] = "distance"
    need: ClassVar[Need] = "distance"
    prefix: ClassVar[str] = "distance"
    radius: Annotated[float, Field(gt=0)] | None = None
    """If given, the result has `escape_step`: the first update after which the distance is larger than this."""

    def crossings(self) -> dict[str, tuple[str, float]]:
        return {} if self.radius is None else {"escape_step": ("distance", self.radius)}


class Position(ProbeKind):
    """Every number of a model of at most ten, before the update: `param/x`, `param/y`.

    The result has what they are in the end: `final_param/x`, `final_param/y`.
    """

    kind: Literal["position"] = "position"
    need: ClassVar[Need] = "position"

    def fault(self, parameters: Shapes) -> str | None:
        size = how_many(parameters)
        return f"position is for models of at most {FEW} numbers, this has {size}: leave it out" if size > FEW else None

    def metrics(self, parameters: Shapes) -> tuple[str, ...]:
        return tuple(f"param/{name}" for name in numbers(parameters))

    def values(self, measured: Norms, parameters: Shapes) -> dict[str, Norms]:
        return dict(zip(self.metrics(parameters), measured.T, strict=True))


class MomentumParts(ProbeKind):
    """What the step is made of: `gradient_step`, minus the rate times the gradient; `previous_step`, the rest; `step`.

    Under heavy-ball momentum m at a constant rate the rest is m times the previous step (and what weight decay adds).
    For models of at most ten numbers each is recorded number by number (`step/x`), for others as its norm.
    """

    kind: Literal["momentum_parts"] = "momentum_parts"
    need: ClassVar[Need] = "parts"

    def metrics(self, parameters: Shapes) -> tuple[str, ...]:
        parts = ("gradient_step", "previous_step", "step")
        if how_many(parameters) > FEW:
            return parts
        return tuple(f"{part}/{name}" for part, name in product(parts, numbers(parameters)))

    def values(self, measured: Norms, parameters: Shapes) -> dict[str, Norms]:
        return dict(zip(self.metrics(parameters), measured.T, strict=True))


class _Number(ProbeKind):
    """One number for each update, under the name of the probe's metric."""

    metric: ClassVar[str]

    def metrics(self, parameters: Shapes) -> tuple[str, ...]:
        return (self.metric,)

    def values(self, measured: Norms, parameters: Shapes) -> dict[str, Norms]:
        return {self.metric: measured.reshape(-1)}


class Direction(_Number):
    """Cosine of the angle between the gradient of a batch and that of the batch before: 1 where they agree."""

    kind: Literal["direction"] = "direction"
    need: ClassVar[Need] = "turn"
    metric: ClassVar[str] = "grad_cosine"


class Roughness(_Number):
    """How much the loss changes from one update to the next: the absolute value of the change of its logarithm.

    The result's `mean_roughness` is small where the curve of the loss is smooth, whatever the loss's level and unit.
    """

    kind: Literal["roughness"] = "roughness"
    need: ClassVar[Need] = "change"
    metric: ClassVar[str] = "roughness"


def how_many(parameters: Shapes) -> int:
    """Numbers in all of the parameters."""
    return sum(map(prod, parameters.values()))


def numbers(parameters: Shapes) -> tuple[str, ...]:
    """A name for every number: its parameter's, followed by the number's place where there are several."""
    return tuple(
        name if prod(shape) == 1 else f"{name}/{i}" for name, shape in parameters.items() for i in range(prod(shape))
    )


Probe: Any = union(
    "probes", GradNorm, UpdateNorm, ParamNorm, Distance, Position, MomentumParts, Direction, Roughness, TopEigenvalue,
    NoiseScale, GradientVariance,
)  # fmt: skip
