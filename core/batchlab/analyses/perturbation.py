"""How much the loss rises when the weights are moved: in the worst direction, along the gradient, or at random.

Steps are measured in units of c: c = |w| (adaptive: blind to a rescaling of layers that leaves the function as it is)
or c = 1. Andriushchenko et al. 2023 (A modern look at the relationship between sharpness and generalization), whose
worst case is found by APGD (Croce & Hein 2020); Foret et al. 2021 and Kwon et al. 2021 for the one step of (A)SAM.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batchlab import streams
from batchlab.analyses.base import Held, Work, share
from batchlab.analyses.measured import Measured, error_of_mean
from batchlab.analyses.problem import Problem, cut
from batchlab.engines.task import Table

Norm = Literal["l2", "linf"]
MOMENTUM = 0.75
ENOUGH = 0.75
"""A stretch of APGD in which a smaller share of its steps went up halves the step."""


def units(w: Tensor, adaptive: bool) -> Tensor:
    """c, (n,)."""
    return w.abs() if adaptive else torch.ones_like(w)


def worst_case(
    problem: Problem, w: Tensor, *, norm: Norm, rho: float, adaptive: bool, group: int | None, steps: int, seed: int,
    held: Held,
) -> Work[Measured]:  # fmt: skip
    """max L(w + c u) - L(w) over |u| <= rho, within each group of rows, averaged over the groups.

    One step of one group is a piece. The standard error is that of the mean over groups; for a single group that of its
    rows, with the step held fixed.
    """
    groups = _groups(problem, group)
    for i in range(len(held.numbers("rise")), len(groups)):
        search = Apgd(problem, w, units(w, adaptive), groups[i], norm=norm, rho=rho, steps=steps)
        found = yield from share(search.run(seed, i, held.part("search")), i, len(groups))
        held.part("search").clear()
        held["rises"] = found
        held.add("rise", found.mean())
    rises = held.numbers("rise")
    error = error_of_mean(rises) if len(rises) > 1 else error_of_mean(held["rises"], problem.drawn)
    return Measured(float(rises.mean()), error, True, {"groups": len(groups), "loss": problem.loss(w)})


def _groups(problem: Problem, group: int | None) -> Sequence[Table]:
    """The rows in groups; what is left over at the end makes none of its own."""
    if group is None or group >= problem.rows:
        return [problem.table]
    return [cut(problem.table, slice(i, i + group)) for i in range(0, problem.rows - group + 1, group)]


class Apgd:
    """Projected gradient ascent with momentum that halves its step by itself (Croce & Hein 2020, algorithm 1)."""

    def __init__(
        self, problem: Problem, w: Tensor, c: Tensor, rows: Table, *, norm: Norm, rho: float, steps: int
    ) -> None:
        self._problem, self._w, self._c, self._rows = problem, w, c, rows
        self._norm, self._rho, self._steps = norm, rho, steps
        self._checks = checkpoints(steps)

    def run(self, seed: int, number: int, held: Held) -> Work[NDArray[np.float64]]:
        """The rise of each row at the best step that was found: (rows,). One step of the search a piece."""
        if "done" not in held:
            self._begin(self._start(seed, number), held)
        while int(held["done"]) < self._steps:
            self._step(held)
            yield int(held["done"]) / self._steps
        here = self._problem.losses(self._w, self._rows)
        rises = self._problem.losses(self._w + self._c * self._get(held, "best"), self._rows) - here
        return (rises if rises.mean() > 0 else 0 * rises).cpu().numpy()

    def _start(self, seed: int, number: int) -> Tensor:
        u = self._problem.tensor(streams.generator(seed, "start", number).uniform(-1.0, 1.0, self._problem.n))
        return u * self._rho if self._norm == "linf" else u * (self._rho / u.norm())

    def _begin(self, u: Tensor, held: Held) -> None:
        value, slope = self._slope(u)
        names = {"now": u, "before": u, "best": u, "slope": slope, "best_slope": slope}
        _put(held, names)
        held["value"], held["best_value"], held["done"] = value, value, 0
        held["rate"], held["ups"], held["last_best"], held["halved"] = 2.0 * self._rho, 0, value, True

    def _step(self, held: Held) -> None:
        """One step up; at a checkpoint perhaps a smaller step, from the best point."""
        now, before, done = self._get(held, "now"), self._get(held, "before"), int(held["done"])
        target = self._inside(now + float(held["rate"]) * self._up(self._get(held, "slope")))
        share = MOMENTUM if done else 1.0
        new = self._inside(now + share * (target - now) + (1 - share) * (now - before))
        value, slope = self._slope(new)
        held["ups"] = int(held["ups"]) + (value > float(held["value"]))
        _put(held, {"now": new, "before": now, "slope": slope})
        held["value"], held["done"] = value, done + 1
        if value > float(held["best_value"]):
            _put(held, {"best": new, "best_slope": slope})
            held["best_value"] = value
        if done + 1 in self._checks:
            self._check(done + 1, held)

    def _check(self, done: int, held: Held) -> None:
        stretch = done - max((c for c in self._checks if c < done), default=0)
        few = int(held["ups"]) < ENOUGH * stretch
        stuck = not bool(held["halved"]) and float(held["best_value"]) <= float(held["last_best"])
        held["last_best"], held["halved"], held["ups"] = held["best_value"], few or stuck, 0
        if few or stuck:
            held["rate"] = float(held["rate"]) / 2
            held["now"] = held["before"] = held["best"]
            held["slope"], held["value"] = held["best_slope"], held["best_value"]

    def _slope(self, u: Tensor) -> tuple[float, Tensor]:
        """The loss at w + c u and its gradient in u."""
        value, gradient = self._problem.gradient(self._w + self._c * u, self._rows)
        return value, gradient * self._c

    def _up(self, slope: Tensor) -> Tensor:
        """The direction of steepest ascent, of unit length in this norm."""
        if self._norm == "linf":
            return slope.sign()
        return slope / float(slope.norm().clamp_min(1e-30))

    def _inside(self, u: Tensor) -> Tensor:
        if self._norm == "linf":
            return u.clamp(-self._rho, self._rho)
        return u * (self._rho / float(u.norm().clamp_min(self._rho)))

    def _get(self, held: Held, name: str) -> Tensor:
        return self._problem.tensor(held[name])


def _put(held: Held, tensors: dict[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        held[name] = tensor.cpu().numpy()


def checkpoints(steps: int) -> tuple[int, ...]:
    """After which steps APGD looks whether its step is too long: p = 0, 0.22, then gaps smaller by 0.03, from 0.06."""
    at, gap = [22], 22  # in per cent
    while at[-1] + max(gap - 3, 6) <= 100:
        gap = max(gap - 3, 6)
        at.append(at[-1] + gap)
    return tuple(sorted({-(-p * steps // 100) for p in at}))


def one_step(problem: Problem, w: Tensor, *, rho: float, adaptive: bool) -> Measured:
    """L(w + d) - L(w) for d = rho c (c g) / |c g|: the step that (A)SAM takes. Standard error: that of the rows."""
    c = units(w, adaptive)
    _, gradient = problem.gradient(w)
    slope = gradient * c
    length = float(slope.norm())
    step = rho * c * slope / max(length, 1e-30)
    here, there = problem.losses(w), problem.losses(w + step)
    rises = (there - here).cpu().numpy()
    error = error_of_mean(rises, problem.drawn)
    return Measured(float(rises.mean()), error, length > 0.0, {"gradient_norm": length, "loss": float(here.mean())})


def average_case(
    problem: Problem, w: Tensor, *, sigma: float, adaptive: bool, draws: int, seed: int, held: Held
) -> Work[Measured]:
    """The mean of L(w + sigma c z) - L(w) over standard normal z, with the standard error over the draws.

    Each draw is taken with its opposite, which cancels the slope at `w` exactly and leaves the mean as it is.
    """
    if "loss" not in held:
        held["loss"] = problem.loss(w)
    scale = sigma * units(w, adaptive)
    for i in range(len(held.numbers("rise")), draws):
        step = scale * problem.random(seed, "direction", i)
        held.add("rise", (problem.loss(w + step) + problem.loss(w - step)) / 2 - float(held["loss"]))
        yield (i + 1) / draws
    rises = held.numbers("rise")
    return Measured(float(rises.mean()), error_of_mean(rises), True, {"draws": draws, "loss": float(held["loss"])})
