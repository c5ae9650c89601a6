"""A nudged elastic band between two networks, with points added where it is high: AutoNEB (Draxler et al. 2018).

The points between the ends follow the loss downhill across the band, never along it, and are kept equally far from each
other (springs of infinite stiffness). After each cycle further points are put where the band is highest between points.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batchlab.analyses.base import Held, Work
from batchlab.analyses.heights import heights
from batchlab.analyses.paths import Path
from batchlab.analyses.problem import Problem, cut

Vector = NDArray[np.float64]
Slopes = Callable[[Tensor, int], tuple[Vector, Tensor]]
"""Losses, (points,), and gradients, (points, n), of points at an update, on that update's batch."""
FIRST = 3
"""Points between the ends at first."""
MORE = 2
"""Points added after a cycle."""
BETWEEN = 9
"""Places between neighbours at which the band is evaluated to find where it is highest."""
MOMENTUM = 0.9
PIECE = 5


@dataclass(frozen=True)
class Cycle:
    """Updates of the band at a rate."""

    updates: int
    lr: float


def cycles(updates: int) -> tuple[Cycle, ...]:
    """The source's fourteen cycles with `updates` for each of 1000: 4 and 2 long ones at 0.1, 4 at 0.01, 4 at 0.001."""
    long = (Cycle(updates, 0.1),) * 4 + (Cycle(2 * updates, 0.1),) * 2
    return long + (Cycle(updates, 0.01),) * 4 + (Cycle(updates, 0.001),) * 4


def band(
    problem: Problem, first: Tensor, last: Tensor, *, plan: Sequence[Cycle], slopes: Slopes, held: Held
) -> Work[Tensor]:
    """The points of the band, ends included, after all cycles: (points, n)."""
    if "points" not in held:
        share = torch.linspace(0, 1, FIRST + 2, dtype=first.dtype, device=first.device)[:, None]
        _put(held, (1 - share) * first + share * last, cycle=0, done=0)
    while int(held["cycle"]) < len(plan):
        cycle, done = plan[int(held["cycle"])], int(held["done"])
        if done < cycle.updates:
            _descend(problem, cycle, slopes, held)
        elif int(held["cycle"]) + 1 < len(plan):
            for _ in _add(problem, held):
                yield (int(held["cycle"]) + 1) / len(plan)
        else:
            held["cycle"] = len(plan)
        yield min(1.0, (int(held["cycle"]) + int(held["done"]) / cycle.updates) / len(plan))
    return problem.tensor(held["points"])


def _put(held: Held, points: Tensor, *, cycle: int, done: int, velocity: Tensor | None = None) -> None:
    held["points"], held["cycle"], held["done"] = points.cpu().numpy(), cycle, done
    held["velocity"] = (torch.zeros_like(points) if velocity is None else velocity).cpu().numpy()


def _descend(problem: Problem, cycle: Cycle, slopes: Slopes, held: Held) -> None:
    """Some updates of all points but the ends."""
    points, velocity = problem.tensor(held["points"]), problem.tensor(held["velocity"])
    number, done = int(held["cycle"]), int(held["done"])
    for update in range(done, min(done + PIECE, cycle.updates)):
        losses, gradients = slopes(points, number * 2**20 + update)
        force = torch.zeros_like(points)
        for i in range(1, len(points) - 1):
            along = tangent(points[i - 1 : i + 2], losses[i - 1 : i + 2])
            force[i] = gradients[i] - (gradients[i] @ along) * along
        velocity = MOMENTUM * velocity + force
        points = spread(points - cycle.lr * velocity)
    _put(held, points, cycle=number, done=min(done + PIECE, cycle.updates), velocity=velocity)


def tangent(three: Tensor, losses: Vector) -> Tensor:
    """The unit direction of the band at the middle one of three points, towards the higher neighbour.

    At an extremum both sides count, by how much they differ in loss (Henkelman & Jonsson 2000, equations 8 to 11).
    """
    back, ahead = three[1] - three[0], three[2] - three[1]
    if losses[2] > losses[1] > losses[0]:
        found = ahead
    elif losses[0] > losses[1] > losses[2]:
        found = back
    else:
        rises = sorted(abs(float(losses[i] - losses[1])) for i in (0, 2))
        less, more = rises if rises[1] > 0 else (1.0, 1.0)
        found = (ahead * more + back * less) if losses[2] > losses[0] else (ahead * less + back * more)
    return found / float(found.norm().clamp_min(1e-30))


def lengths(points: Tensor) -> Vector:
    """How far along the band each point lies: from 0 to 1."""
    steps = (points[1:] - points[:-1]).double().norm(dim=1).cpu().numpy()
    reached = np.concatenate([[0.0], np.cumsum(steps)])
    share: Vector = reached / max(float(reached[-1]), 1e-300)
    share[-1] = 1.0
    return share


def chain(points: Tensor) -> Path:
    """The polygonal path through the points, by length."""
    reached = lengths(points)

    def at(t: float) -> Tensor:
        i = int(np.clip(np.searchsorted(reached, t, side="right") - 1, 0, len(points) - 2))
        width = reached[i + 1] - reached[i]
        share = float((t - reached[i]) / width) if width > 0 else 0.0
        return (1 - share) * points[i] + share * points[i + 1]

    return at


def spread(points: Tensor) -> Tensor:
    """As many points, equally far from each other along the band."""
    path = chain(points)
    inner = [path(i / (len(points) - 1)) for i in range(1, len(points) - 1)]
    return torch.stack([points[0], *inner, points[-1]])


def _add(problem: Problem, held: Held) -> Work[None]:
    """Put further points where the band is highest between points, and begin the next cycle."""
    points = problem.tensor(held["points"])
    shares = np.arange(1, BETWEEN + 1) / (BETWEEN + 1)
    places = [(i, float(share)) for i in range(len(points) - 1) for share in shares]

    def at(number: int) -> Tensor:
        i, share = places[number]
        return (1 - share) * points[i] + share * points[i + 1]

    found = yield from heights(problem, len(places), at, held.part("between"), {"train": problem.table})
    dense = found["train"].loss.reshape(-1, BETWEEN)
    highest = sorted(np.argsort(dense.max(1))[-MORE:], reverse=True)
    for i in highest:
        new = at(int(i) * BETWEEN + int(dense[i].argmax()))
        points = torch.cat([points[: i + 1], new[None], points[i + 1 :]])
    held.part("between").clear()
    _put(held, points, cycle=int(held["cycle"]) + 1, done=0)


def slopes_of(problem: Problem, rows_of: Callable[[int], NDArray[np.int64]]) -> Slopes:
    """Losses and gradients on the rows that an update takes; normalisation is by each batch."""

    def slopes(points: Tensor, update: int) -> tuple[Vector, Tensor]:
        table = cut(problem.table, torch.from_numpy(rows_of(update)).to(problem.device))
        with problem.normalising_by_batch():
            pairs = [problem.gradient(point, table) for point in points]
        return np.array([loss for loss, _ in pairs]), torch.stack([gradient for _, gradient in pairs])

    return slopes
