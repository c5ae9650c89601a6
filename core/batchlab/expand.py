"""From a spec to its cells: the product of its axes in the contract's order, `ordinal` from 0.

Outermost first: variants, batch sizes, rates, momentum, optimizer numbers by name, seeds.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from batchlab.cell import Cell
from batchlab.experiment import ExperimentSpec
from batchlab.spec import arms_of
from batchlab.sweep import Arm, Batch


def count(spec: ExperimentSpec) -> int:
    """How many cells the spec has, from the lengths of its axes alone."""
    return sum(arm.cells for arm in arms_of(spec))


def expand(spec: ExperimentSpec) -> tuple[Cell, ...]:
    """Every cell of the spec, by ordinal."""
    return tuple(_number(points(arm, arm.seeds) for arm in arms_of(spec)))


def add_seeds(spec: ExperimentSpec, n: int) -> tuple[ExperimentSpec, tuple[Cell, ...]]:
    """The spec with `n` more seeds for every point, and the new cells; their ordinals go on after the last."""
    arms = arms_of(spec)
    new = [_more(arm.spec.seeds, n) for arm in arms]
    cells = _number((points(arm, seeds) for arm, (_, seeds) in zip(arms, new, strict=True)), count(spec))
    variants = tuple(
        variant | {"seeds": seeds} if "seeds" in variant else variant
        for variant, (seeds, _) in zip(spec.variants, new, strict=bool(spec.variants))
    )
    return spec.model_copy(update={"seeds": _more(spec.seeds, n)[0], "variants": variants}), tuple(cells)


def _more(seeds: int | tuple[int, ...], n: int) -> tuple[int | tuple[int, ...], Sequence[int]]:
    """The seeds with `n` more, and the new ones."""
    if isinstance(seeds, int):
        return seeds + n, range(seeds, seeds + n)
    new = range(max(seeds) + 1, max(seeds) + 1 + n)
    return (*seeds, *new), new


def _number(arms: Iterator[Iterator[dict[str, Any]]], first: int = 0) -> Iterator[Cell]:
    # model_construct: the values come from a checked spec, and checking them again would take most of the time.
    flat = (point for arm in arms for point in arm)
    return (Cell.model_construct(ordinal=ordinal, **point) for ordinal, point in enumerate(flat, start=first))


def points(arm: Arm, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The fields of the arm's cells for these seeds, without the ordinal."""
    common = _common(arm)
    for batch in arm.batches:
        own = _of_batch(batch)
        for rate, momentum, *numbers in product(batch.rates, arm.momenta, *arm.numbers.values()):
            params = dict(zip(arm.numbers, numbers, strict=True))
            at = {"lr": rate, "momentum": momentum, "params": params, "optimizer": arm.spec.optimizer.at(params)}
            for seed in seeds:
                yield {**common, **own, **at, "seed": seed}


def _common(arm: Arm) -> dict[str, Any]:
    spec = arm.spec
    names = Cell.model_fields.keys() & ExperimentSpec.model_fields.keys() - {"lr", "momentum", "optimizer", "loss"}
    task_loss = "half_squared_error" if spec.dataset.info().task == "regression" else "cross_entropy"
    return {name: getattr(spec, name) for name in names} | {"variant": arm.variant, "loss": spec.loss or task_loss}


def _of_batch(batch: Batch) -> dict[str, Any]:
    return {
        "batch_entry": batch.entry,
        "batch_size": batch.rows,
        "steps": batch.steps,
        "evaluate_every": batch.evaluate_every,
    }
