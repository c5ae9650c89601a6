"""Curvature of the loss at a cell's weights: extreme eigenvalues, trace and spectral density, whole or by layer."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from batchlab.analyses.base import Finding, Held, Subject, Work, share
from batchlab.analyses.edge import edge_of
from batchlab.analyses.weights import OfWeights, Positive

if TYPE_CHECKING:
    from torch import Tensor

    from batchlab.analyses.lanczos import Ritz
    from batchlab.analyses.operators import Curvature
    from batchlab.analyses.problem import Problem

WHOLE = ""
"""The name of the matrix of all parameters, beside those of layers."""


class _Curvature(OfWeights):
    matrix: Literal["hessian", "gauss_newton"] = "hessian"
    """Second derivatives of the mean loss, or their part that is positive semi-definite (Gauss-Newton, equal to the
    Fisher information for these losses)."""

    def operator(self, problem: "Problem", block: slice = slice(None)) -> "Curvature":
        """The matrix, or a diagonal block of it."""
        from batchlab.analyses.operators import Curvature

        return Curvature(problem, problem.weights, self.matrix, block)

    def fresh(self, problem: "Problem", n: int, run: int = 0, signs: bool = False) -> "Callable[[int], Tensor]":
        """Random vectors, (n,), normal or of signs, by number; each `run` has its own."""
        from batchlab import streams

        def draw(number: int) -> "Tensor":
            values = streams.generator(self.seed, "direction", run * 2**20 + number).standard_normal(n)
            return problem.tensor(np.copysign(1.0, values) if signs else values)

        return draw


class Eigenvalues(_Curvature):
    """The largest and the smallest eigenvalues of the curvature by Lanczos' method, with the residual of each.

    `lambda_max` and `lambda_min` are the ends, `ratio` is |lambda_min / lambda_max| (how far from convex; Li et al.
    2018). Under SGD, `edge` is the curvature at which descent at the cell's rate and momentum stops being stable; in
    full-batch training `lambda_max` rises to it and hovers there (Cohen et al. 2021). Under the reduction `sum` it is
    divided by the batch size, as the curvature is that of the mean loss.
    """

    kind: Literal["eigenvalues"] = "eigenvalues"
    top: Annotated[int, Field(ge=1, le=200)] = 10
    """How many of the largest."""
    bottom: Annotated[int, Field(ge=1, le=200)] = 1
    """How many of the smallest."""
    tolerance: Positive = 1e-4
    """Largest residual |A v - lambda v| for unit v that is good enough, over the matrix' norm."""
    steps: Annotated[int, Field(ge=2, le=1000)] = 100
    """Products with the matrix, at most."""
    by_layer: bool = False
    """Whether to take the largest and smallest eigenvalue of each layer's diagonal block, too."""

    def work(self, subjects: Sequence[Subject], held: Held, device: str) -> Work[Finding]:
        from batchlab.analyses.operators import blocks

        problem = self.problem(subjects[0], device)
        wanted = {WHOLE: slice(None)} | (blocks(problem) if self.by_layer else {})
        found: dict[str, Ritz] = {}
        for i, (name, block) in enumerate(wanted.items()):
            found[name] = yield from share(self._ends(problem, block, held.part(name or "whole")), i, len(wanted))
        trust = self._trust(found, wanted, problem.n)
        whole = found.pop(WHOLE)
        values = {**self._summary(whole), "edge": edge_of(subjects[0].cell)}
        for name, ritz in found.items():
            values |= {f"lambda_max/{name}": float(ritz.values[-1]), f"lambda_min/{name}": float(ritz.values[0])}
        top, bottom = self._kept(whole)
        arrays = {"top": whole.values[top], "bottom": whole.values[bottom],
                  "top_residual": whole.residuals[top], "bottom_residual": whole.residuals[bottom]}  # fmt: skip
        return Finding(values, arrays, problem.meta() | trust)

    def _ends(self, problem: "Problem", block: slice, held: Held) -> "Work[Ritz]":
        from batchlab.analyses.lanczos import Ritz, ends, lanczos

        operator = self.operator(problem, block)
        top, bottom = self._asked(block)
        if "ritz" not in held:
            work = lanczos(
                operator, self.fresh(problem, operator.n), self.steps, held, ends(top, bottom, self.tolerance)
            )
            ritz = yield from work
            held.clear()
            held["ritz"] = np.stack([ritz.values, ritz.residuals, ritz.weights])
            yield 1.0
        return Ritz(*held["ritz"])

    def _asked(self, block: slice) -> tuple[int, int]:
        """How many of the largest and of the smallest values are reported."""
        return (self.top, self.bottom) if block == slice(None) else (1, 1)

    def _summary(self, ritz: "Ritz") -> dict[str, float | None]:
        high, low = float(ritz.values[-1]), float(ritz.values[0])
        return {"lambda_max": high, "lambda_min": low, "ratio": abs(low / high) if high else None}

    def _kept(self, ritz: "Ritz") -> tuple[slice, slice]:
        """Where the largest (the largest first) and the smallest values lie."""
        m = len(ritz.values)
        return slice(m - 1, m - 1 - self.top if m > self.top else None, -1), slice(0, self.bottom)

    def _trust(self, found: "Mapping[str, Ritz]", blocks: Mapping[str, slice], n: int) -> dict[str, Any]:
        """How good all is that is reported: of the whole matrix of `n` parameters, and of each block."""
        from batchlab.analyses.lanczos import ends

        sizes = {name: len(range(*block.indices(n))) for name, block in blocks.items()}
        known = [ends(*self._asked(blocks[x]), self.tolerance, sizes[x])(ritz) for x, ritz in found.items()]
        last = {f"/{name}" if name else "": ritz.residuals for name, ritz in found.items()}
        residual = {f"lambda_{end}{x}": float(r[i]) for x, r in last.items() for end, i in (("max", -1), ("min", 0))}
        products = len(found[WHOLE].values)
        return {"residual": residual, "converged": all(known), "products": products, "matrix": self.matrix}


class Trace(_Curvature):
    """The trace of the curvature with its standard error; by Hutchinson's estimate also the trace of each layer."""

    kind: Literal["trace"] = "trace"
    method: Literal["hutchinson", "hutch++"] = "hutchinson"
    """Signs alone, or a third of the products for the directions that the matrix stretches most."""
    probes: Annotated[int, Field(ge=3, le=100_000)] = 60
    """Products with the matrix."""

    def work(self, subjects: Sequence[Subject], held: Held, device: str) -> Work[Finding]:
        problem = self.problem(subjects[0], device)
        work = self._plain if self.method == "hutchinson" else self._sketched
        values, errors = yield from work(problem, held)
        values["mean_eigenvalue"], errors["mean_eigenvalue"] = values["trace"] / problem.n, errors["trace"] / problem.n
        facts = {"standard_error": errors, "converged": True, "products": self.probes, "matrix": self.matrix}
        return Finding(values, {}, problem.meta() | facts)

    def _plain(self, problem: "Problem", held: Held) -> Work[tuple[dict[str, float], dict[str, float]]]:
        from batchlab.analyses.operators import blocks
        from batchlab.analyses.traces import hutchinson

        layers = blocks(problem)
        signs = self.fresh(problem, problem.n, signs=True)
        terms = yield from hutchinson(self.operator(problem), signs, self.probes, held, list(layers.values()))
        columns = {"trace": terms.sum(axis=1)} | {f"trace/{n}": c for n, c in zip(layers, terms.T, strict=True)}
        return {n: float(c.mean()) for n, c in columns.items()}, {n: _error(c) for n, c in columns.items()}

    def _sketched(self, problem: "Problem", held: Held) -> Work[tuple[dict[str, float], dict[str, float]]]:
        from batchlab.analyses.traces import hutch_plus_plus

        signs = self.fresh(problem, problem.n, signs=True)
        found = yield from hutch_plus_plus(self.operator(problem), signs, self.probes, held)
        return {"trace": found.value}, {"trace": found.standard_error or 0.0}


class SpectralDensity(_Curvature):
    """How the eigenvalues of the curvature are distributed, by stochastic Lanczos quadrature.

    Arrays: `grid` and `density` (smoothed, with `density_error`), and for each random start the exact `nodes` and
    `weights` of the quadrature. `share_negative` is the share of eigenvalues below zero.
    """

    kind: Literal["spectral_density"] = "spectral_density"
    starts: Annotated[int, Field(ge=1, le=1000)] = 10
    """Random starts."""
    steps: Annotated[int, Field(ge=2, le=1000)] = 80
    """Products from each start."""
    sigma: Positive | None = None
    """Width of the smoothing; the range of the nodes over `steps` where null."""
    points: Annotated[int, Field(ge=2, le=10_000)] = 1024
    """Of the grid."""

    def work(self, subjects: Sequence[Subject], held: Held, device: str) -> Work[Finding]:
        from batchlab.analyses.spectrum import density

        problem = self.problem(subjects[0], device)
        for i in range(len(held.series("nodes")), self.starts):
            ritz = yield from share(self._start(problem, i, held.part("run")), i, self.starts)
            held.part("run").clear()
            held.append("weights", ritz.weights)
            held.append("nodes", ritz.values)
            yield (i + 1) / self.starts
        nodes, weights = held.series("nodes"), held.series("weights")
        drawn = density(nodes, weights, self.sigma, self.points)
        arrays = {"grid": drawn.grid, "density": drawn.mean, "nodes": _ragged(nodes), "weights": _ragged(weights)}
        if drawn.standard_error is not None:
            arrays["density_error"] = drawn.standard_error
        values, errors = _moments(nodes, weights)
        facts = {"standard_error": errors, "converged": True, "sigma": drawn.sigma, "matrix": self.matrix,
                 "smoothing": "range / steps" if self.sigma is None else "given"}  # fmt: skip
        return Finding(values, arrays, problem.meta() | facts)

    def _start(self, problem: "Problem", run: int, held: Held) -> "Work[Ritz]":
        from batchlab.analyses.lanczos import lanczos

        operator = self.operator(problem)
        return lanczos(operator, self.fresh(problem, operator.n, run), self.steps, held, lambda _: False)


def _moments(nodes: list[Any], weights: list[Any]) -> tuple[dict[str, float], dict[str, float | None]]:
    """What the quadrature says of the eigenvalues: their mean, the share of negative ones, the ends that were seen."""
    pairs = list(zip(nodes, weights, strict=True))
    columns = {
        "mean_eigenvalue": np.array([float(w @ n) for n, w in pairs]),
        "share_negative": np.array([float(w[n < 0].sum()) for n, w in pairs]),
    }
    seen = np.concatenate(nodes)
    values = {name: float(column.mean()) for name, column in columns.items()}
    values |= {"lambda_max": float(seen.max()), "lambda_min": float(seen.min())}
    return values, {name: _error(column) if len(column) > 1 else None for name, column in columns.items()}


def _error(column: NDArray[np.float64]) -> float:
    return float(column.std(ddof=1) / np.sqrt(len(column)))


def _ragged(rows: list[NDArray[Any]]) -> NDArray[np.float64]:
    """Rows of different lengths as one array, filled up with NaN."""
    table = np.full((len(rows), max(map(len, rows))), np.nan)
    for line, row in zip(table, rows, strict=True):
        line[: len(row)] = row
    return table
