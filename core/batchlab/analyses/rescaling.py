"""The same function by other weights: one layer a times, the next 1 / a times (Dinh et al. 2017).

Between two layers with a positively homogeneous activation (ReLU, none) this changes no output, so that a measure of
the function must not move either; one that moves measures the coordinates.
"""

import torch
from torch import Tensor

from batchlab.analyses.problem import Problem

SAME = 1e-4
"""The loss may differ by so much of 1 + loss, by rounding."""


def rescaled(problem: Problem, w: Tensor, factor: float) -> Tensor | None:
    """The weights with the first layer (and its bias) times `factor` and the next over it; None where the function is
    another one then (a single layer, another activation, normalisation in between)."""
    layers = [name for name, shape in zip(problem.names, problem.shapes, strict=True) if len(shape) > 1]
    if len(layers) < 2:
        return None
    first, second = (name.rpartition(".")[0] for name in layers[:2])
    parts = problem.unflatten(w)
    scales = {f"{first}.weight": factor, f"{first}.bias": factor, f"{second}.weight": 1.0 / factor}
    moved = torch.cat([(part * scales.get(name, 1.0)).flatten() for name, part in parts.items()])
    before, after = problem.loss(w), problem.loss(moved)
    return moved if abs(after - before) <= SAME * (1.0 + before) else None
