"""Probes: what is measured at every update, beside the loss and the step time.

A probe declares the metrics it gives and what it needs; the engine computes what is needed once for all of them and
never asks which probe it is.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from batchlab.kinds import Kind, union

Need = Literal["gradient", "update", "parameters"]
Norms = NDArray[np.float64]


class _Probe(Kind):
    family: ClassVar[str] = "probes"
    need: ClassVar[Need]
    """Which per-parameter norms the engine must take."""
    prefix: ClassVar[str]
    per_parameter: ClassVar[bool] = False

    def metrics(self, parameters: Sequence[str]) -> tuple[str, ...]:
        """Names of the metrics of this probe for a model with these parameters."""
        if not self.per_parameter:
            return (self.prefix,)
        kinds = (f"{self.prefix}_weights", f"{self.prefix}_biases")
        return (self.prefix, *kinds, *(f"{self.prefix}/{name}" for name in parameters))

    def values(self, norms: Norms, parameters: Sequence[str]) -> dict[str, Norms]:
        """The metrics, each of shape (updates,), from the norms of each parameter's part: (updates, parameters)."""
        columns = dict(zip(parameters, norms.T, strict=True))
        biases = {name for name in parameters if is_bias(name)}
        found = {self.prefix: _together(columns.values(), len(norms))}
        if self.per_parameter:
            for part, names in (("weights", set(parameters) - biases), ("biases", biases)):
                found[f"{self.prefix}_{part}"] = _together((columns[n] for n in parameters if n in names), len(norms))
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


class GradNorm(_Probe):
    """Frobenius norm of the batch gradient: of all parameters, of weights, of biases and of each parameter.

    The gradient is that of the loss over the batch, before weight decay, at the weights before the update.
    """

    kind: Literal["grad_norm"] = "grad_norm"
    need: ClassVar[Need] = "gradient"
    prefix: ClassVar[str] = "grad_norm"
    per_parameter: ClassVar[bool] = True


class UpdateNorm(_Probe):
    """Norm of the step that the update took: the weights after it minus the weights before it."""

    kind: Literal["update_norm"] = "update_norm"
    need: ClassVar[Need] = "update"
    prefix: ClassVar[str] = "update_norm"


class ParamNorm(_Probe):
    """Norm of all parameters, before the update."""

    kind: Literal["param_norm"] = "param_norm"
    need: ClassVar[Need] = "parameters"
    prefix: ClassVar[str] = "param_norm"


Probe: Any = union("probes", GradNorm, UpdateNorm, ParamNorm)
