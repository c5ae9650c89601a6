"""The edge of stability: the curvature beyond which steps of a given rate and momentum no longer settle.

On f = lambda w^2 / 2 each method is a linear recurrence; it is stable while the roots of its characteristic polynomial
lie in the unit circle, and the first one to leave does so at -1 (Cohen et al. 2021, appendix A). The curvature is that
of the mean loss; where the sum over a batch of B rows is minimised, the edge is B times as near.
"""

from typing import Literal

from batchlab.cell import Cell

Momentum = Literal["heavy_ball", "nesterov", "ema"]


def edge(lr: float, momentum: float = 0.0, form: Momentum = "heavy_ball") -> float:
    """The largest stable curvature. Without momentum it is 2 / lr.

    `heavy_ball`: v = m v + g, w -= lr v. `nesterov`: that with the gradient taken ahead. `ema`: v = m v + (1 - m) g.

    >>> edge(0.1), round(edge(0.1, 0.9), 9), round(edge(0.1, 0.9, "ema"), 9)
    (20.0, 38.0, 380.0)
    """
    plain = 2.0 * (1.0 + momentum) / lr
    return plain / {"heavy_ball": 1.0, "nesterov": 1.0 + 2.0 * momentum, "ema": 1.0 - momentum}[form]


def edge_of(cell: Cell) -> float | None:
    """The edge at a cell's base rate and momentum; None for an optimizer that is not SGD."""
    if cell.optimizer.kind != "sgd":
        return None
    form: Momentum = "nesterov" if cell.optimizer.nesterov else "heavy_ball"
    return edge(per_mean(cell, cell.lr, cell.batch_size), cell.momentum or 0.0, form)


def per_mean(cell: Cell, lr: float, batch_size: int) -> float:
    """The rate at which a step follows the gradient of the mean loss, whose curvature is measured.

    A cell that minimises the sum over a batch takes a gradient `batch_size` times as large.
    """
    return lr * batch_size if cell.reduction == "sum" else lr
