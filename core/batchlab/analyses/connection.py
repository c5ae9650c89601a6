"""Between two solutions: the loss on the way from one to the other, straight, on an arc, or along a trained curve."""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from batchlab.analyses.base import Finding, Held, Inputs, Subject, Work, share
from batchlab.analyses.weights import Count, OfWeights, Positive
from batchlab.cell import Cell
from batchlab.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

    from batchlab.analyses.heights import Heights
    from batchlab.analyses.paths import Path
    from batchlab.analyses.problem import Problem

Vector = NDArray[np.float64]
Points = Annotated[int, Field(ge=3, le=1001)]
EXACT: dict[str, Any] = {"converged": True}


class Between(OfWeights):
    """The base of analyses of several solutions of one network."""

    align: bool = False
    """Whether the hidden units of the other networks are first put in the order that agrees best with the first
    one's, which leaves their functions as they are (networks of dense layers alone)."""

    def check(self, cells: Sequence[Cell]) -> None:
        networks = {_network(cell) for cell in cells}
        if len(networks) > 1:
            raise SpecError.at((), "the cells have different networks: choose cells of one model and data set")
        if self.align and cells[0].model.kind not in ("mlp", "softmax", "linear"):
            raise SpecError.at(("align",), f"only dense layers can be aligned, {cells[0].model.kind} has others")

    def ends(self, problem: "Problem", subjects: Sequence[Subject]) -> "list[Tensor]":
        """The weights of all subjects, aligned where asked for. The rows are those of the first one's cell."""
        from batchlab.analyses.alignment import aligned

        first, *others = (problem.flatten(subject.last) for subject in subjects)
        return [first, *(aligned(problem, first, w, self.seed) if self.align else w for w in others)]


def _network(cell: Cell) -> tuple[str, tuple[int, ...], int]:
    return cell.model.model_dump_json(), cell.info.shape, cell.info.outputs


class Interpolation(Between):
    """The loss on the straight line through two cells' weights, or on an arc through them, on training and validation
    rows; and the barrier between them: how far the loss rises above the line between the ends' own losses.

    t = 0 is the first cell, t = 1 the second. Arrays: `t`, `loss`, `accuracy`, `val_loss`, `val_accuracy`, with
    standard errors. Statistics of batch normalisation are re-estimated at every point unless kept. (Goodfellow et al.
    2015; Keskar et al. 2017, figures 3 and 4; Frankle et al. 2020.)
    """

    kind: Literal["interpolation"] = "interpolation"
    inputs: ClassVar[Inputs] = "two"
    curve: Literal["line", "sine"] = "line"
    """(1 - t) w1 + t w2, or cos(t pi / 2) w1 + sin(t pi / 2) w2."""
    low: Annotated[float, Field(le=0, ge=-100)] = -1.0
    """Where t begins."""
    high: Annotated[float, Field(ge=1, le=100)] = 2.0
    """Where t ends."""
    points: Points = 25
    """Values of t; 0 and 1 are always among them."""

    def work(self, subjects: Sequence[Subject], held: Held, device: str) -> Work[Finding]:
        from batchlab.analyses.alignment import distance
        from batchlab.analyses.paths import sine, straight

        problem = self.problem(subjects[0], device)
        first, last = self.ends(problem, subjects)
        path = (straight if self.curve == "line" else sine)(first, last)
        t = np.union1d(np.linspace(self.low, self.high, self.points), [0.0, 1.0])
        found = yield from along(problem, path, t, held)
        values = {**barriers(t, found), "distance": distance(first, last)}
        return Finding(values, profile(t, found), problem.meta() | {"curve": self.curve, "aligned": self.align} | EXACT)


class ConnectingPath(Between):
    """A curve from one cell's weights to another's along which the loss stays low, found by training its bend.

    A Bezier curve or a polygonal chain with one bend, which minimises the mean loss over the curve (Garipov et al.
    2018). `barrier` is that of the curve, `straight_barrier` that of the straight line; `lowest`, `highest` and `mean`
    are losses along the curve, `length` its length and `distance` that of its ends. Arrays as of an interpolation.
    """

    kind: Literal["connecting_path"] = "connecting_path"
    inputs: ClassVar[Inputs] = "two"
    shape: Literal["bezier", "polygon"] = "bezier"
    """Quadratic Bezier curve, or two straight parts."""
    updates: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """Of the bend."""
    lr: Positive = 0.03
    """Rate of the updates: constant for a half, then linear to a hundredth at nine tenths."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Heavy-ball momentum of the updates."""
    batch: Count = 128
    """Rows of each update."""
    points: Points = 61
    """Values of t at which the curve is evaluated."""

    def work(self, subjects: Sequence[Subject], held: Held, device: str) -> Work[Finding]:
        from batchlab.analyses.paths import bent, train_bend

        problem = self.problem(subjects[0], device)
        first, last = self.ends(problem, subjects)
        bend = yield from share(
            train_bend(
                problem, self.shape, first, last, steps=self.updates, lr=self.lr, momentum=self.momentum,
                batch=self.batch, seed=self.seed, held=held.part("bend"),
            ), 0, 2,
        )  # fmt: skip
        found = described(problem, bent(self.shape, first, bend, last), self.points, held)
        values, arrays = yield from share(found, 1, 2)
        return Finding(values, arrays, problem.meta() | {"shape": self.shape, "aligned": self.align} | EXACT)


def described(
    problem: "Problem", path: "Path", points: int, held: Held
) -> Work[tuple[dict[str, float], dict[str, Vector]]]:
    """Values and arrays of a path between two solutions, beside the straight line between its ends."""
    from batchlab.analyses.alignment import distance
    from batchlab.analyses.paths import length, straight

    t, ends = np.linspace(0.0, 1.0, points), (path(0.0), path(1.0))
    found = yield from share(along(problem, path, t, held.part("curve")), 0, 2)
    line = yield from share(along(problem, straight(*ends), t, held.part("line")), 1, 2)
    loss = found["train"].loss
    values = barriers(t, found) | {
        "straight_barrier": barriers(t, line)["barrier"],
        "straight_val_barrier": barriers(t, line)["val_barrier"],
        "lowest": float(loss.min()),
        "highest": float(loss.max()),
        "mean": float(np.trapezoid(loss, t)),
        "length": length(path, t),
        "distance": distance(*ends),
    }
    return values, profile(t, found) | {f"straight_{name}": column for name, column in profile(t, line).items()}


class BarrierMatrix(Between):
    """The barrier on the straight line between every two of the cells: a symmetric matrix, with zeros on its diagonal.

    `mean` and `highest` are those of the pairs. Arrays: `barriers` and `distances`, (cells, cells), and `ordinals`.
    """

    kind: Literal["barrier_matrix"] = "barrier_matrix"
    inputs: ClassVar[Inputs] = "all"
    points: Points = 11
    """Values of t on each line."""

    def work(self, subjects: Sequence[Subject], held: Held, device: str) -> Work[Finding]:
        from batchlab.analyses.alignment import distance
        from batchlab.analyses.paths import straight

        problem = self.problem(subjects[0], device)
        ends, t = self.ends(problem, subjects), np.linspace(0.0, 1.0, self.points)
        pairs = list(combinations(range(len(ends)), 2))
        found, apart = np.zeros((2, len(ends), len(ends)))
        for number, (i, j) in enumerate(pairs):
            line = along(problem, straight(ends[i], ends[j]), t, held.part(f"{i}-{j}"))
            profile = yield from share(line, number, len(pairs))
            found[i, j] = found[j, i] = barriers(t, profile)["barrier"]
            apart[i, j] = apart[j, i] = distance(ends[i], ends[j])
        between = np.array([found[pair] for pair in pairs])
        values = {"mean": float(between.mean()), "highest": float(between.max()), "pairs": len(pairs)}
        ordinals = np.array([subject.cell.ordinal for subject in subjects])
        arrays = {"barriers": found, "distances": apart, "ordinals": ordinals}
        return Finding(values, arrays, problem.meta() | {"aligned": self.align} | EXACT)


def along(problem: "Problem", path: "Path", t: Vector, held: Held) -> "Work[dict[str, Heights]]":
    """The heights along a path on the analysis' rows (`train`) and on the validation rows (`val`)."""
    from batchlab.analyses.heights import heights

    tables = {"train": problem.table, "val": problem.other("validation")}
    return heights(problem, len(t), lambda i: path(float(t[i])), held, tables)


def profile(t: Vector, found: "dict[str, Heights]") -> dict[str, Vector]:
    """The heights along a path as arrays of a finding."""
    arrays = {"t": t}
    for prefix, table in (("", found["train"]), ("val_", found["val"])):
        arrays |= {f"{prefix}loss": table.loss, f"{prefix}loss_error": table.error}
        if not np.isnan(table.accuracy).all():
            arrays[f"{prefix}accuracy"] = table.accuracy
    return arrays


def barriers(t: Vector, found: "dict[str, Heights]") -> dict[str, float]:
    """The barriers of both parts of the data, and the losses of the ends."""
    from batchlab.analyses.paths import barrier

    ends = {"first": t == 0.0, "second": t == 1.0}
    losses = {f"loss_{name}": float(found["train"].loss[at][0]) for name, at in ends.items()}
    return {"barrier": barrier(t, found["train"].loss), "val_barrier": barrier(t, found["val"].loss), **losses}
