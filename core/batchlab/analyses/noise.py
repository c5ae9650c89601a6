"""How much gradients of single rows scatter around their mean, and the batch size at which that begins to matter.

    S = tr(Sigma),   B_simple = S / |G|^2        (McCandlish, Kaplan et al. 2018, section 2.2 and appendix A.1)

Both are estimated without bias, S from the scatter and |G|^2 = |g_B|^2 - S / B; their ratio is one of averages, never
an average of ratios. Its interval comes from leaving out one block of the data at a time (the jackknife).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call, grad, vmap

from batchlab import streams
from batchlab.analyses.base import Held, Work
from batchlab.analyses.problem import Problem, cut
from batchlab.engines.task import Table

Vector = NDArray[np.float64]
PER_EXAMPLE_BYTES = 2**28
"""Of the gradients of single rows that are held at once."""


@dataclass(frozen=True)
class Noise:
    """Scatter S = tr(Sigma), signal |G|^2, their ratio, the scale B_simple; with standard errors by the jackknife.

    The signal is estimated without bias and may come out at 0 or below: then there is no scale (NaN). Where that is so
    without some block, the scale has no error (NaN).
    """

    scatter: float
    signal: float
    scale: float
    scatter_error: float
    signal_error: float
    scale_error: float

    @property
    def certain(self) -> bool:
        """Whether the mean gradient is told from zero: else the ratio's interval has no upper end."""
        return self.signal > 1.96 * self.signal_error


def row_gradients(problem: Problem, w: Tensor, rows: Table) -> Tensor:
    """The gradient of each row's loss: (rows, n). Any layers, as autograd is vectorised over rows."""

    def loss(at: Tensor, x: Tensor, target: Tensor) -> Tensor:
        outputs = functional_call(problem.net, problem.unflatten(at), (x[None],))
        return problem.criterion(outputs, target[None]).sum()

    found: Tensor = vmap(grad(loss), (None, 0, 0))(w, rows.x, rows.targets)
    return found


def per_example(problem: Problem, w: Tensor, blocks: int, held: Held) -> Work[Noise]:
    """The noise by the gradient of every row, with the jackknife over `blocks` equal blocks; a piece is a block.

    What is held is the sum of each block's gradients, and of their squared lengths.
    """
    parts = np.array_split(np.arange(problem.rows), min(blocks, problem.rows))
    for i in range(len(held.numbers("squares")), len(parts)):
        total, squares = _block(problem, w, cut(problem.table, slice(parts[i][0], parts[i][-1] + 1)))
        held.append("sum", total.cpu().numpy())
        held.add("squares", squares)
        yield (i + 1) / len(parts)
    sums, counts = np.stack(held.series("sum")), np.array([float(len(part)) for part in parts])
    return from_blocks(sums @ sums.T, held.numbers("squares"), counts, problem.drawn)


def _block(problem: Problem, w: Tensor, rows: Table) -> tuple[Tensor, float]:
    most = max(1, min(problem.chunk, PER_EXAMPLE_BYTES // (problem.n * w.element_size())))
    total, squares = torch.zeros(problem.n, dtype=torch.float64, device=w.device), 0.0
    for first in range(0, len(rows), most):
        gradients = row_gradients(problem, w, cut(rows, slice(first, first + most)))
        total += gradients.sum(0, dtype=torch.float64)
        squares += float(gradients.double().square().sum())
    return total, squares


def by_groups(problem: Problem, w: Tensor, group: int, blocks: int) -> Noise:
    """The noise by the mean gradients of groups of rows, drawn once and for all; rows that fill no group are left out.

    A group's mean scatters `group` times less than a row: S is that scatter times `group` (the two-batch estimate, by
    all small batches of one large one). At least three groups.
    """
    order = torch.from_numpy(streams.permutation(problem.rows, 0, "sample")).to(problem.device)
    groups = torch.split(order[: len(order) // group * group], group)
    parts = np.array_split(np.arange(len(groups)), min(blocks, len(groups)))
    sums = np.zeros((len(parts), problem.n))
    squares = np.zeros(len(parts))
    for i, part in enumerate(parts):
        for number in part:
            gradient = problem.gradient(w, cut(problem.table, groups[number]))[1].double().cpu().numpy()
            sums[i] += gradient
            squares[i] += gradient @ gradient
    counts = np.array([float(len(part)) for part in parts])
    found = from_blocks(sums @ sums.T, squares, counts, problem.drawn)
    of_rows = {name: group * getattr(found, name) for name in ("scatter", "scale", "scatter_error", "scale_error")}
    return replace(found, **of_rows)


def from_blocks(products: NDArray[np.float64], squares: Vector, counts: Vector, drawn: float = 0.0) -> Noise:
    """The noise from the inner products of blocks' summed gradients, (blocks, blocks), their summed squared lengths and
    their rows. `drawn`: the share of all rows that these are; where they are all, their mean is the gradient itself.
    """

    def estimate(kept: Vector) -> Vector:
        n = float(kept @ counts)
        mean_square = float(kept @ products @ kept) / n**2
        scatter = (float(kept @ squares) / n - mean_square) * n / (n - 1)
        return np.array([scatter, mean_square - scatter / n * (1 - drawn)])

    everyone = np.ones(len(counts))
    return _with_errors(estimate(everyone), np.stack([estimate(everyone - e) for e in np.eye(len(counts))]))


def two_batches(
    problem: Problem, w: Tensor, small: int, batches: Iterable[NDArray[np.int64]], held: Held
) -> Work[Noise]:
    """The noise by batches of two sizes: the rows of each large batch, and parts of `small` rows that it consists of.

    A large batch is a piece. The jackknife leaves out one of them at a time.
    """
    drawn = list(batches)
    for i, rows in enumerate(drawn):
        if f"pair.{i}" not in held:
            parts = torch.split(torch.from_numpy(rows).to(problem.device), small)
            each = torch.stack([problem.gradient(w, cut(problem.table, part))[1] for part in parts]).double()
            held.append("pair", [float(each.square().sum(1).mean()), float(each.mean(0).square().sum())])
            yield (i + 1) / len(drawn)
    return from_pairs(np.stack(held.series("pair")), small, len(drawn[0]))


def from_pairs(pairs: NDArray[np.float64], small: int, large: int) -> Noise:
    """The noise from |g_small|^2 and |g_large|^2 of each draw, (draws, 2).

    |G|^2 = (B |g_B|^2 - b |g_b|^2) / (B - b),   S = (|g_b|^2 - |g_B|^2) / (1 / b - 1 / B)
    """
    little, much = pairs.T
    scatter = (little - much) / (1 / small - 1 / large)
    signal = (large * much - small * little) / (large - small)
    each = np.stack([scatter, signal], axis=1)
    left_out = (each.sum(0) - each) / (len(each) - 1)
    return _with_errors(each.mean(0), left_out)


def _with_errors(whole: Vector, left_out: NDArray[np.float64]) -> Noise:
    """The estimates with jackknife errors: `left_out` are scatter and signal without each block, (blocks, 2)."""
    ratios = np.append(left_out, [[_ratio(*pair)] for pair in left_out], axis=1)
    blocks = len(ratios)
    errors = np.sqrt((blocks - 1) / blocks * np.square(ratios - ratios.mean(0)).sum(0))
    scatter, signal = map(float, whole)
    return Noise(scatter, signal, _ratio(scatter, signal), *map(float, errors))


def _ratio(scatter: float, signal: float) -> float:
    return scatter / signal if signal > 0 else float("nan")


def along(problem: Problem, w: Tensor, direction: Tensor) -> Vector:
    """The slope of each row's loss in a direction, g_i . d: float64, (rows,)."""
    found = []
    for part in problem.parts():
        at = w.detach().requires_grad_()
        losses = problem.row_losses(at, part)
        u = torch.zeros_like(losses, requires_grad=True)
        (pulled,) = torch.autograd.grad(losses, at, u, create_graph=True)
        found.append(torch.autograd.grad(pulled, u, direction)[0])
    slopes: Vector = torch.cat(found).double().cpu().numpy()
    return slopes
