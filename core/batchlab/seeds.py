"""More seeds for a spec that is already trained."""

from collections.abc import Sequence
from dataclasses import dataclass

from batchlab.cell import Cell
from batchlab.errors import SpecError
from batchlab.expand import number, points
from batchlab.experiment import LARGEST_SEED, ExperimentSpec
from batchlab.plan import WorkLimits, check
from batchlab.spec import arms_of, parse_spec
from batchlab.sweep import Arm

Seeds = int | tuple[int, ...]
"""As in a spec: a count, or a list."""


@dataclass(frozen=True)
class Grown:
    """A spec with more seeds: its cells that are new, and how many cells and updates it has altogether."""

    spec: ExperimentSpec
    new: tuple[Cell, ...]
    cells: int
    updates: int


def add_seeds(spec: ExperimentSpec, n: int, limits: WorkLimits) -> Grown:
    """`n` more seeds for every point; the ordinals of the new cells go on after the last.

    TooLargeError (with the numbers) over a limit, SpecError where there are no such seeds, before any cell is built.
    """
    arms = arms_of(spec)
    cells = sum(_with_more(arm, arm.cells, n) for arm in arms)
    updates = sum(_with_more(arm, arm.updates, n) for arm in arms)
    check(cells, updates, limits)
    grown = _grow(spec, arms, n)
    new = number((points(arm, _next(arm.spec.seeds, n)) for arm in arms), first=sum(arm.cells for arm in arms))
    return Grown(grown, tuple(new), cells, updates)


def _with_more(arm: Arm, amount: int, n: int) -> int:
    """What the arm's `amount` becomes with `n` more seeds."""
    return amount + amount // len(arm.seeds) * n


def _grow(spec: ExperimentSpec, arms: Sequence[Arm], n: int) -> ExperimentSpec:
    variants = [
        variant | {"seeds": _all(arm.spec.seeds, n)} if "seeds" in variant else variant
        for variant, arm in zip(spec.variants, arms, strict=bool(spec.variants))
    ]
    return parse_spec(spec.model_dump(mode="json") | {"seeds": _all(spec.seeds, n), "variants": variants})


def _all(seeds: Seeds, n: int) -> int | list[int]:
    return seeds + n if isinstance(seeds, int) else [*seeds, *_next(seeds, n)]


def _next(seeds: Seeds, n: int) -> range:
    """The `n` seeds after the largest."""
    first = seeds if isinstance(seeds, int) else max(seeds) + 1
    if first + n - 1 > LARGEST_SEED:
        raise SpecError.at(("seeds",), f"{n} more would pass {LARGEST_SEED}, the largest seed: add fewer, or post anew")
    return range(first, first + n)
