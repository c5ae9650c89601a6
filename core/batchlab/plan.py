"""What an experiment will cost, from the lengths of its axes, before any product is built."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from batchlab import keeping, metrics
from batchlab.analyses.groups import groups
from batchlab.batch_schedules import clock_of
from batchlab.cell import Cell
from batchlab.errors import Fault, Loc, SpecError, TooLargeError
from batchlab.expand import expand
from batchlab.experiment import ExperimentSpec
from batchlab.probes import how_many
from batchlab.spec import arms_of
from batchlab.sweep import Arm, Batch

PYRAMID = 1 + 4 / 8 * 8 / 7
"""Stored numbers for each value: itself, and four in each bucket of eight on every level."""
VALUE_BYTES = 4
WEIGHT_BYTES = {"float64": 8}
"""Of a weight, by precision; otherwise as of a stored value."""


@dataclass(frozen=True)
class WorkLimits:
    """The most that one experiment may ask for."""

    max_cells: int
    max_updates: int


@dataclass(frozen=True)
class Plan:
    """The cells of an experiment and their cost."""

    cells: tuple[Cell, ...]
    updates: int
    storage_bytes: int
    """An estimate for the series and the kept weights, without indexes and compression."""
    warnings: tuple[str, ...]
    analyses: int = 0
    """How many follow the training."""


def plan(spec: ExperimentSpec, limits: WorkLimits) -> Plan:
    """The plan of a spec; TooLargeError (with the numbers) where it is over a limit."""
    arms = arms_of(spec)
    updates = sum(arm.updates for arm in arms)
    check(sum(arm.cells for arm in arms), updates, limits)
    storage = sum(_storage(arm) for arm in arms)
    cells = expand(spec)
    return Plan(cells, updates, storage, tuple(dict.fromkeys(_warnings(arms))), _analyses(spec, arms, cells))


def _analyses(spec: ExperimentSpec, arms: Sequence[Arm], cells: Sequence[Cell]) -> int:
    """How many analyses the spec asks for. SpecError: one makes no sense for these cells."""
    total = 0
    for i, analysis in enumerate(spec.analyses):
        found = groups(analysis.inputs, cells)
        if not found:
            raise SpecError.at(("analyses", i), f"takes {analysis.inputs} cells: add batch sizes or seeds")
        if analysis.needs == "trajectory":
            _check_trajectories(("analyses", i), arms)
        try:
            for group in found:
                analysis.check([cells[place] for place in group])
        except SpecError as error:
            raise SpecError([Fault(("analyses", i, *fault.loc), fault.msg) for fault in error.faults]) from error
        total += len(found)
    return total


def _check_trajectories(loc: Loc, arms: Sequence[Arm]) -> None:
    """SpecError where an arm, whose checkpoints may be its own, keeps no trajectory."""
    for arm in arms:
        if not any(isinstance(keep, keeping.Trajectory) for keep in arm.spec.checkpoints):
            of = "" if arm.variant is None else f" of the variant {arm.variant}"
            raise SpecError.at(loc, f"looks at a trajectory: ask for one in `checkpoints`{of}")


def check(cells: int, updates: int, limits: WorkLimits) -> None:
    """TooLargeError (with the numbers) where an experiment of this size is over a limit."""
    faults = []
    if cells > limits.max_cells:
        faults.append(f"{cells} cells are over this lab's limit of {limits.max_cells}: shorten an axis")
    if updates > limits.max_updates:
        faults.append(f"{updates} updates are over this lab's limit of {limits.max_updates}: shorten the budget")
    if faults:
        raise TooLargeError([Fault((), fault) for fault in faults])


def _storage(arm: Arm) -> int:
    """Bytes of the arm's series and kept weights."""
    values = sum(len(batch.rates) * _values(arm.spec, batch) for batch in arm.batches)
    kept = sum(len(batch.rates) * _kept(arm.spec, batch) for batch in arm.batches)
    return int(arm.points * values * VALUE_BYTES) + arm.points * kept


def _kept(spec: ExperimentSpec, batch: Batch) -> int:
    """Bytes of the weights that are kept of one cell, at most."""
    if not spec.kept:
        return 0
    info = spec.dataset.info()
    size = how_many(spec.model.parameters(info.shape, info.outputs))
    clock = clock_of(spec.batch_schedule, spec.budget.run(spec.dataset.train_rows(), batch.rows))
    return size * WEIGHT_BYTES.get(spec.precision, VALUE_BYTES) * keeping.kept_count(spec.kept, clock)


def _values(spec: ExperimentSpec, batch: Batch) -> float:
    info = spec.dataset.info()
    shapes = spec.model.parameters(info.shape, info.outputs)
    uneven = spec.batch_schedule.kind != "constant" or spec.dataset.train_rows() % batch.rows != 0
    moving = spec.momentum_schedule is not None and spec.optimizer.has_momentum
    changing = 2 + (spec.schedule.kind != "constant") + moving + uneven
    every_update = changing + sum(len(probe.metrics(shapes)) for probe in spec.probes)
    evaluations = 2 + (batch.steps - 1) // batch.evaluate_every
    # An evaluation is kept with its step, a bigint.
    evaluated = len(metrics.EVALUATED) + sum(len(probe.evaluated) for probe in spec.probes)
    return float(batch.steps * every_update * PYRAMID + evaluations * evaluated * (PYRAMID + 2))


def _warnings(arms: Sequence[Arm]) -> Iterator[str]:
    for arm in arms:
        late = [batch.entry for batch in arm.batches if batch.evaluate_every > batch.steps]
        if late:
            where = f" of {arm.variant}" if arm.variant else ""
            sizes = ", ".join(map(str, late))
            yield f"evaluated only at the start and the end{where} at batch {sizes}: the best is the last"
