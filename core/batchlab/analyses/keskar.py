"""Keskar et al. 2017, metric 2.1: how far the loss can rise in a small box around the weights, whole or in a subspace.

    C = { z in R^p : |z_i| <= eps (|(A+ x)_i| + 1) },   phi = 100 (max_{y in C} f(x + A y) - f(x)) / (1 + f(x))

A is the identity, or n x p standard normal numbers. The maximum is inexact: some iterations of L-BFGS-B. At a minimum
the gradient at y = 0 is zero and a search from there stays, hence it starts elsewhere in the box, more than once.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batchlab import streams
from batchlab.analyses.base import Held, Work, share
from batchlab.analyses.box import Vector, maximise
from batchlab.analyses.measured import Measured, error_of_ratio
from batchlab.analyses.problem import Problem

STRETCH = 2**16
"""Rows of A that are taken to double precision at once."""
NEAR = 0.1
"""The first search starts within this part of the box, the others anywhere in it."""


class Space:
    """The p directions of a search: all n coordinates (`p` None), or the columns of a random matrix."""

    def __init__(self, problem: Problem, p: int | None, seed: int) -> None:
        self._problem = problem
        self._transposed: Tensor | None = None
        if p is not None:
            self._transposed = torch.empty(p, problem.n, dtype=problem.dtype, device=problem.device)
            for i in range(p):
                self._transposed[i] = problem.random(seed, "subspace", i)
        self.p = problem.n if p is None else p

    def lift(self, y: Vector) -> Tensor:
        """A y: (n,)."""
        step = self._problem.tensor(y)
        return step if self._transposed is None else step @ self._transposed

    def pull(self, gradient: Tensor) -> NDArray[np.floating]:
        """A' g: (p,), in the problem's precision."""
        pulled = gradient if self._transposed is None else self._transposed @ gradient
        return pulled.cpu().numpy()

    def coordinates(self, w: Tensor) -> Vector:
        """A+ w, by least squares: float64, (p,)."""
        if self._transposed is None:
            return w.double().cpu().numpy()
        products = torch.zeros(self.p, self.p + 1, dtype=torch.float64, device=w.device)  # A' (A | w)
        for first in range(0, len(w), STRETCH):
            stretch = slice(first, first + STRETCH)
            wide = self._transposed[:, stretch].double()
            products += wide @ torch.cat([wide, w[stretch].double()[None]]).T
        found: Vector = torch.linalg.solve(products[:, :-1], products[:, -1]).cpu().numpy()
        return found


def eps_sharpness(
    problem: Problem, w: Tensor, space: Space, *, eps: float, restarts: int, iterations: int, seed: int, held: Held
) -> Work[Measured]:
    """phi at `w`, the best of `restarts` searches. Its standard error is that of the rows, with y held fixed."""
    box = eps * (np.abs(space.coordinates(w)) + 1.0)
    evaluate = partial(_evaluate, problem, w, space)
    for i in range(len(held.numbers("value")), restarts):
        yield from share(_search(evaluate, box, i, iterations=iterations, seed=seed, held=held), i, restarts)
    here, there = (problem.losses(at).cpu().numpy() for at in (w, w + space.lift(held["best"])))
    if there.mean() < here.mean():  # y = 0 is in the box, too
        there = here
    phi = 100.0 * (there.mean() - here.mean()) / (1.0 + here.mean())
    error = error_of_ratio(100.0 * (there - here), 1.0 + here, problem.drawn)
    facts = {
        "loss": float(here.mean()),
        "highest_loss": float(there.mean()),
        "searches": held.numbers("value").tolist(),
        "iterations": [int(v) for v in held.numbers("iterations")],
        "evaluations": [int(v) for v in held.numbers("evaluations")],
        "at_edge": float(held["at_edge"]),
    }
    return Measured(float(phi), error, bool(held["stationary"]), facts)


def _evaluate(problem: Problem, w: Tensor, space: Space, y: Vector) -> tuple[float, NDArray[np.floating]]:
    loss, gradient = problem.gradient(w + space.lift(y))
    return loss, space.pull(gradient)


def _search(
    evaluate: Callable[[Vector], tuple[float, NDArray[np.floating]]],
    box: Vector,
    number: int,
    *,
    iterations: int,
    seed: int,
    held: Held,
) -> Work[None]:
    """One search, whose end is kept; its point only where it is the best so far."""
    inside = streams.generator(seed, "start", number).uniform(-1.0, 1.0, len(box))
    start = inside * box * (NEAR if number == 0 else 1.0)
    log = held.part("log")
    found = yield from maximise(evaluate, start, box, iterations, log)
    log.clear()
    if found.value > held.numbers("value").max(initial=-np.inf):
        held["best"], held["at_edge"], held["stationary"] = found.point, found.at_edge, found.stationary
    held.add("iterations", found.iterations)
    held.add("evaluations", found.evaluations)
    held.add("value", found.value)
