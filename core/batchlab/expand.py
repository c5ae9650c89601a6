"""From a spec to its cells: the product of its axes in the contract's order, `ordinal` from 0.

Outermost first: variants, batch sizes, rates, momentum, optimizer numbers by name, seeds.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from batchlab import engines
from batchlab.cell import Cell
from batchlab.errors import SpecError
from batchlab.experiment import ExperimentSpec
from batchlab.spec import arms_of
from batchlab.sweep import Arm, Batch


def count(spec: ExperimentSpec) -> int:
    """How many cells the spec has, from the lengths of its axes alone."""
    return sum(arm.cells for arm in arms_of(spec))


def expand(spec: ExperimentSpec) -> tuple[Cell, ...]:
    """Every cell of the spec, by ordinal."""
    cells = tuple(number(points(arm, arm.seeds) for arm in arms_of(spec)))
    _check_engines(cells)
    return cells


def _check_engines(cells: Sequence[Cell]) -> None:
    """SpecError where a cell asks for an engine that does not train such cells."""
    for cell in cells:
        if (obstacle := engines.obstacle(cell)) is not None:
            where = f" ({cell.variant})" if cell.variant else ""
            raise SpecError.at(("engine",), f"{cell.engine} does not train {obstacle}{where}: use auto or reference")


def number(arms: Iterator[Iterator[dict[str, Any]]], first: int = 0) -> Iterator[Cell]:
    """Cells from the fields of each arm's cells, with ordinals from `first`."""
    # model_construct: the values come from a checked spec, and checking them again would take most of the time.
    flat = (point for arm in arms for point in arm)
    return (Cell.model_construct(ordinal=ordinal, **point) for ordinal, point in enumerate(flat, start=first))


def points(arm: Arm, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The fields of the arm's cells for these seeds, without the ordinal."""
    common = _common(arm)
    for batch in arm.batches:
        own = _of_batch(batch)
        for rate, momentum, numbers in product(batch.rates, arm.momenta, product(*arm.numbers.values())):
            at = _at(arm, batch, rate, momentum, dict(zip(arm.numbers, numbers, strict=True)))
            for seed in seeds:
                yield {**common, **own, **at, "seed": seed}


def _at(arm: Arm, batch: Batch, rate: float, momentum: float | None, axes: dict[str, float]) -> dict[str, Any]:
    """Rate, momentum and optimizer of a point, after what the rule makes of them."""
    rule, optimizer = arm.spec.lr, arm.spec.optimizer.at(axes)
    numbers = rule.numbers(batch.rows, optimizer.numbers()) if rule.needs else {}
    return {
        "lr": rule.at_momentum(rate, momentum),
        "momentum": momentum,
        "params": axes | numbers,
        "optimizer": optimizer.at(numbers),
    }


def _common(arm: Arm) -> dict[str, Any]:
    spec = arm.spec
    names = Cell.model_fields.keys() & ExperimentSpec.model_fields.keys() - {"lr", "momentum", "optimizer", "loss"}
    task_loss = "half_squared_error" if spec.dataset.info().task == "regression" else "cross_entropy"
    usual = "output" if spec.model.gives_loss else task_loss
    same = {name: getattr(spec, name) for name in names} | {"checkpoints": spec.kept}
    return same | {"variant": arm.variant, "loss": spec.loss or usual}


def _of_batch(batch: Batch) -> dict[str, Any]:
    return {
        "batch_entry": batch.entry,
        "batch_size": batch.rows,
        "steps": batch.steps,
        "evaluate_every": batch.evaluate_every,
        "evaluate_epochs": batch.evaluate_epochs,
        "ends_at": batch.ends_at,
    }
