"""A spec's axes, resolved: which batches, rates, momenta, optimizer numbers and seeds it crosses.

Everything here is about lengths and single axes, so that a sweep can be counted, refused and explained before its
product is built.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np

from batchlab import keeping
from batchlab.batch_plan import Run
from batchlab.batch_schedules import clock_of, plan_of
from batchlab.claims import claim as claims
from batchlab.engines import NAMES
from batchlab.errors import Fault, Loc, SpecError
from batchlab.experiment import ExperimentSpec
from batchlab.kinds import many
from batchlab.lr_rules import BatchEntry
from batchlab.merging import merge
from batchlab.probes import how_many
from batchlab.schedules import Clock, momentum_factors
from batchlab.studies import STUDIES

EXPERIMENT_WIDE = frozenset({"$schema", "tags", "note", "study", "priority", "claims", "analyses", "variants"})
"""Keys that a variant cannot change."""
LOOKS = 4096
"""Updates at which a schedule is looked at to see whether it stays within bounds."""
MOST_PARAMETERS = 10**8
"""A network beyond this would be killed for its memory rather than refused in words."""


@dataclass(frozen=True)
class Batch:
    """One batch size: as written, in rows, the rates that go with it, and the updates of a run."""

    entry: BatchEntry
    rows: int
    rates: tuple[float, ...]
    steps: int
    evaluate_every: int
    """Updates between two evaluations; where the batch size changes and they come by epochs, those before the first."""
    evaluate_epochs: int | None = None
    ends_at: int | None = None


@dataclass(frozen=True)
class Arm:
    """One variant of a spec (the only one where it has none) with its axes."""

    variant: str | None
    spec: ExperimentSpec
    batches: tuple[Batch, ...]

    @cached_property
    def momenta(self) -> tuple[float | None, ...]:
        """The momentum axis; None alone where the optimizer has no momentum."""
        return many(self.spec.momentum) if self.spec.optimizer.has_momentum else (None,)

    @cached_property
    def numbers(self) -> dict[str, tuple[float, ...]]:
        """The optimizer numbers that are axes, by name."""
        return {name: value for name, value in self.spec.optimizer.numbers().items() if isinstance(value, tuple)}

    @cached_property
    def seeds(self) -> Sequence[int]:
        """The seed axis, a count written out."""
        return self.spec.seeds if isinstance(self.spec.seeds, tuple) else range(self.spec.seeds)

    @property
    def points(self) -> int:
        """Cells for one batch size and rate."""
        return len(self.momenta) * prod(map(len, self.numbers.values())) * len(self.seeds)

    @property
    def cells(self) -> int:
        """How many cells it has."""
        return self.points * sum(len(batch.rates) for batch in self.batches)

    @property
    def updates(self) -> int:
        """Updates of all its cells together."""
        return self.points * sum(len(batch.rates) * batch.steps for batch in self.batches)


def arms(spec: ExperimentSpec, validate: Callable[[Any], ExperimentSpec]) -> tuple[Arm, ...]:
    """The arms in order. `validate` makes a spec of a merged document. SpecError lists every fault of every arm."""
    names = tuple(variant.get("name") for variant in spec.variants)
    study = STUDIES.get(spec.study or "")
    faults = claims.faults(spec.claims, names, study.claims if study else ())
    if not spec.variants and not faults:
        return (_arm(None, spec),)
    faults, found = [*faults, *_name_faults(spec)], []
    rest = spec.model_dump(mode="json", exclude={"variants"}, exclude_unset=True)
    for i, variant in enumerate(spec.variants):
        with _collecting(faults, ("variants", i)):
            patch = {key: value for key, value in variant.items() if key != "name"}
            found.append(_arm(variant.get("name"), validate(merge(rest, patch))))
    if faults:
        raise SpecError(faults)
    return tuple(found)


def _name_faults(spec: ExperimentSpec) -> list[Fault]:
    names = Counter(str(variant.get("name")) for variant in spec.variants)
    faults = []
    for i, variant in enumerate(spec.variants):
        name = variant.get("name")
        if not isinstance(name, str) or not 0 < len(name) <= 200:
            faults.append(Fault(("variants", i, "name"), "required: name this variant in up to 200 characters"))
        elif names[name] > 1:
            faults.append(Fault(("variants", i, "name"), f"{name!r} is there twice: give each variant its own name"))
        wide = sorted(EXPERIMENT_WIDE & variant.keys())
        faults += [Fault(("variants", i, key), "belongs to the whole experiment: move it out of here") for key in wide]
    return faults


def _arm(variant: str | None, spec: ExperimentSpec) -> Arm:
    faults = _field_faults(spec)
    with _collecting(faults):
        spec.dataset.check()
    with _collecting(faults, ("model",)):
        _check_model(spec)
    with _collecting(faults, ("pretraining",)):
        if spec.pretraining is not None:
            spec.pretraining.check(spec.dataset.info(), spec.model)
    batches: tuple[Batch, ...] = ()
    if not faults:
        with _collecting(faults, ("probes",)):
            _check_probes(spec)
        with _collecting(faults):
            batches = _batches(spec)
            faults += _kept_faults(spec, batches)
    if faults:
        raise SpecError(faults)
    return Arm(variant, spec, batches)


def _check_model(spec: ExperimentSpec) -> None:
    info = spec.dataset.info()
    spec.model.check(info)
    size = how_many(spec.model.parameters(info.shape, info.outputs))
    if size > MOST_PARAMETERS:
        raise SpecError.at((), f"has {size} parameters, over the limit of {MOST_PARAMETERS}: make it smaller")


def _check_probes(spec: ExperimentSpec) -> None:
    info = spec.dataset.info()
    shapes = spec.model.parameters(info.shape, info.outputs)
    faults = [(i, probe.fault(shapes)) for i, probe in enumerate(spec.probes)]
    if any(fault for _, fault in faults):
        raise SpecError([Fault((i,), fault) for i, fault in faults if fault])


def _field_faults(spec: ExperimentSpec) -> list[Fault]:
    """Faults of fields that do not fit together, batch sizes and rates aside."""
    regression, target, optimizer = spec.dataset.info().task == "regression", spec.target, spec.optimizer
    still = not optimizer.has_momentum and any(many(spec.momentum))
    needless = getattr(optimizer, "nesterov", False) and not all(many(spec.momentum))
    without_accuracy = regression and target is not None and target.metric.endswith("accuracy")
    lacking = set(spec.lr.needs) - optimizer.numbers().keys()
    unmoved = not optimizer.has_momentum and spec.momentum_schedule is not None
    repeated = len({probe.kind for probe in spec.probes}) < len(spec.probes)
    strange = spec.loss is not None and (spec.loss == "output") != spec.model.gives_loss
    placed = spec.model.gives_loss and spec.init != "default"
    untrained = spec.pretraining is not None and spec.engine in ("compiled", "stacked")
    kept = [keep.label for keep in spec.checkpoints]
    checks: tuple[tuple[bool, Loc, str], ...] = (
        (regression and spec.loss == "cross_entropy", ("loss",), "needs classes: use half_squared_error"),
        (strange, ("loss",), "surfaces alone are trained on their `output`, and on nothing else: leave this out"),
        (placed, ("init",), "a surface's first point is the model's `start`: leave this out"),
        (without_accuracy, ("target", "metric"), "regression has no accuracy: use a loss"),
        (still, ("momentum",), f"{optimizer.kind} has no momentum: leave it out"),
        (needless, ("optimizer", "nesterov"), "Nesterov needs a momentum above 0 in every cell"),
        (unmoved, ("momentum_schedule",), f"{optimizer.kind} has no momentum: leave it out"),
        (bool(lacking), ("lr", "rule"), f"needs an optimizer with {' and '.join(sorted(lacking))}: use adam"),
        (repeated, ("probes",), "each probe once"),
        (len(set(kept)) < len(kept), ("checkpoints",), "each policy once"),
        (regression and "best_val_accuracy" in kept, ("checkpoints",), "regression has no accuracy: use val_loss"),
        (untrained, ("engine",), f"{spec.engine} draws its first weights, and has no pretraining: leave this out"),
        (spec.engine not in NAMES, ("engine",), f"no such engine: use one of {', '.join(NAMES)}"),
    )
    return [Fault(loc, msg) for wrong, loc, msg in checks if wrong] + list(_method_faults(spec))


def _method_faults(spec: ExperimentSpec) -> Iterator[Fault]:
    """Faults of what is added to plain training."""
    info = spec.dataset.info()
    if spec.label_smoothing and (info.task == "regression" or spec.loss == "half_squared_error"):
        yield Fault(("label_smoothing",), "is for the cross-entropy of classes: leave it out")
    for i, augmentation in enumerate(spec.augment):
        faults: list[Fault] = []
        with _collecting(faults, ("augment", i)):
            augmentation.check(info)
        yield from faults
    if spec.average is not None and spec.target is not None and spec.target.stop:
        yield Fault(("target", "stop"), "ends a run before its weights are averaged: leave one of them out")
    if spec.average is not None and spec.batch_schedule.adaptive:
        yield Fault(("average",), "needs a run whose end is known, which this batch_schedule decides: leave one out")


def _batches(spec: ExperimentSpec) -> tuple[Batch, ...]:
    total = spec.dataset.train_rows()
    sizes = [(entry, resolve(entry, total)) for entry in spec.batch_sizes]
    faults = [*_size_faults(sizes, total), *_lone_faults(spec, sizes)]
    if faults:
        raise SpecError(faults)
    with _below(("batch_schedule",)):
        for _, rows in sizes:
            plan_of(spec.batch_schedule, spec.budget.run(total, rows))
    with _below(("lr",)):
        spec.lr.check(sizes)
        found = tuple(_batch(spec, entry, rows, total) for entry, rows in sizes)
    for batch in found:
        clock = clock_of(spec.batch_schedule, spec.budget.run(total, batch.rows))
        _check_momentum(spec, clock)
        if spec.average is not None:
            with _below(("average",)):
                spec.average.check(batch.steps, clock)
    return found


def _batch(spec: ExperimentSpec, entry: BatchEntry, rows: int, total: int) -> Batch:
    rates = spec.lr.rates(entry, rows)
    bad = [rate for rate in rates if not 0 < rate < math.inf]
    if bad:
        raise SpecError.at((), f"gives the rate {bad[0]} at the batch size {entry}: choose others")
    if spec.lr.needs:
        for numbers in _points(spec.optimizer.numbers()):
            spec.lr.numbers(rows, numbers)
    if spec.batch_schedule.kind != "constant":
        return _changing(spec, entry, rates, spec.budget.run(total, rows))
    steps = spec.budget.updates(total, rows)
    return Batch(entry, rows, rates, steps, spec.evaluate.updates(math.ceil(total / rows)))


def _changing(spec: ExperimentSpec, entry: BatchEntry, rates: tuple[float, ...], run: Run) -> Batch:
    """The same where the batch size changes in the run."""
    found, ends_at = plan_of(spec.batch_schedule, run), run.length if run.counted == "rows" else None
    if spec.evaluate.every_steps is not None:
        return Batch(entry, run.batch_size, rates, found.steps, spec.evaluate.every_steps, None, ends_at)
    epochs = spec.evaluate.every_epochs or 1
    return Batch(entry, run.batch_size, rates, found.steps, found.updates(epochs * run.rows), epochs, ends_at)


def _points(numbers: Mapping[str, float | tuple[float, ...]]) -> Iterator[dict[str, float]]:
    """Every combination of the optimizer's numbers."""
    return (dict(zip(numbers, values, strict=True)) for values in product(*map(many, numbers.values())))


def _check_momentum(spec: ExperimentSpec, clock: Clock) -> None:
    """SpecError where a momentum comes to 1 or more. Long runs are looked at in `LOOKS` places."""
    done = np.unique(np.linspace(0, clock.steps - 1, min(clock.steps, LOOKS)).round())
    greatest = max(many(spec.momentum)) * momentum_factors(spec.schedule, spec.momentum_schedule, done, clock).max()
    if greatest >= 1:
        msg = f"takes the momentum to {greatest:.4g}: keep it below 1 by smaller factors or a smaller momentum"
        raise SpecError.at(("momentum_schedule",), msg)


def _kept_faults(spec: ExperimentSpec, batches: Sequence[Batch]) -> list[Fault]:
    """Faults of the policies for kept weights: what is wrong at several batch sizes is told once."""
    total = spec.dataset.train_rows()
    clocks = [clock_of(spec.batch_schedule, spec.budget.run(total, batch.rows)) for batch in batches]
    found = (fault for clock in clocks for fault in keeping.faults(spec.checkpoints, clock))
    return list({fault.loc: fault for fault in found}.values())


def resolve(entry: BatchEntry, total: int) -> int:
    """Rows of a batch size as written, of `total` training rows: "p%" is max(1, floor(p * total / 100 + 0.5))."""
    if isinstance(entry, int):
        return entry
    if entry == "full":
        return total
    exact = Decimal(entry.removesuffix("%")) * total / 100 + Decimal("0.5")
    return max(1, int(exact.to_integral_value(ROUND_FLOOR)))


def _size_faults(sizes: Sequence[tuple[BatchEntry, int]], total: int) -> Iterator[Fault]:
    seen: dict[int, BatchEntry] = {}
    for i, (entry, rows) in enumerate(sizes):
        if rows > total:
            yield Fault(("batch_sizes", i), f"{entry} is more than the {total} training rows: use at most {total}")
        elif rows in seen:
            yield Fault(("batch_sizes", i), f"{entry} is {rows} rows, as is {seen[rows]}: remove one of them")
        seen[rows] = entry


def _lone_faults(spec: ExperimentSpec, sizes: Sequence[tuple[BatchEntry, int]]) -> Iterator[Fault]:
    for i, (_, rows) in enumerate(sizes):
        if rows == 1 and spec.model.together > 1:
            yield Fault(("batch_sizes", i), "batch norm cannot learn from one row: use at least 2, or another norm")


@contextmanager
def _collecting(faults: list[Fault], prefix: Loc = ()) -> Iterator[None]:
    """Move the faults of a SpecError below `prefix` into `faults`."""
    try:
        yield
    except SpecError as error:
        faults += [Fault((*prefix, *fault.loc), fault.msg) for fault in error.faults]


@contextmanager
def _below(prefix: Loc) -> Iterator[None]:
    """Put `prefix` before the paths of a SpecError."""
    try:
        yield
    except SpecError as error:
        raise SpecError([Fault((*prefix, *fault.loc), fault.msg) for fault in error.faults]) from error
