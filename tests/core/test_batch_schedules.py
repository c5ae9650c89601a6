"""How the batch size changes: each schedule against its definition, and the runs that follow it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from batchlab.batch_plan import Run
from batchlab.batch_schedules import BatchSchedule, plan_of
from batchlab.cell import Cell
from batchlab.engines.batches import batches, order
from batchlab.errors import SpecError
from pydantic import TypeAdapter

from tests.core.conftest import Trained

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Trained]
RUN = Run(rows=1000, batch_size=50, length=10_000, counted="rows")
FALLING = {"kind": "multistep", "milestones": [0.5, 0.8], "gamma": 0.2}


def parsed(document: dict[str, Any]) -> Any:
    return TypeAdapter(BatchSchedule).validate_json(TypeAdapter(dict).dump_json(document))


def phases(document: dict[str, Any], run: Run = RUN) -> list[tuple[int, int]]:
    """(rows seen before it, size) of each phase."""
    return [(phase.seen, phase.size) for phase in plan_of(parsed(document), run).phases]


def test_sizes_written_out() -> None:
    steps = {"kind": "steps", "milestones": [2, 5], "sizes": [100, 20], "unit": "epochs"}
    assert phases(steps) == [(0, 50), (2000, 100), (5000, 20)]
    assert phases(steps | {"unit": "steps"}) == [(0, 50), (100, 100), (400, 20)]
    with pytest.raises(SpecError, match=r"sizes\.1: more than the 1000 training rows"):
        phases(steps | {"sizes": [100, 2000]})


def test_growth_by_a_factor_stops_at_its_maximum() -> None:
    growth = {"kind": "growth", "factor": 5.0, "milestones": [0.3, 0.6, 0.8], "maximum": 0.5}
    assert phases(growth) == [(0, 50), (3000, 250), (6000, 500)]
    assert phases({"kind": "growth", "every": 4, "unit": "epochs"}) == [(0, 50), (4000, 100), (8000, 200)]
    with pytest.raises(SpecError, match="maximum: is 40 rows, fewer than the batch size 50"):
        phases(growth | {"maximum": 0.04})


def test_what_the_batch_cannot_grow_the_rate_falls_by() -> None:
    growth = parsed({"kind": "growth", "every": 0.2, "maximum": 0.1, "transfer": True})
    plan = plan_of(growth, RUN)
    assert [(p.seen, p.size, p.rate) for p in plan.phases] == [
        (0, 50, 1.0), (2000, 100, 1.0), (4000, 100, 0.5), (6000, 100, 0.25), (8000, 100, 0.125)
    ]  # fmt: skip


def test_linear_growth_counts_updates() -> None:
    plan = plan_of(parsed({"kind": "linear", "rate": 0.25}), RUN)
    done = np.arange(plan.steps)
    assert plan.sizes(done).tolist() == [50 + k // 4 for k in range(plan.steps)]
    fast = plan_of(parsed({"kind": "linear", "rate": 2.5, "maximum": 0.1}), RUN)
    assert fast.sizes(np.arange(25)).tolist() == [min(50 + int(2.5 * k), 100) for k in range(25)]


def test_a_warm_up_ends_with_the_batches_of_the_sweep() -> None:
    assert phases({"kind": "warmup", "length": 0.1}) == [(0, 6), (1000, 50)]
    rising = phases({"kind": "warmup", "length": 2, "unit": "epochs", "start": 0.9, "shape": "gradual"})
    assert [size for _, size in rising] == [45, 46, 47, 48, 49, 50]
    assert rising[-1][0] == pytest.approx(1800, abs=50)


def test_growing_instead_of_decay_keeps_the_noise_of_every_step() -> None:
    growing = parsed({"kind": "instead_of_decay", "schedule": FALLING})
    plan = plan_of(growing, RUN)
    assert [(p.seen, p.size) for p in plan.phases] == [(0, 50), (5000, 250), (8000, 1000)]
    done = np.arange(plan.steps, dtype=np.float64)
    rates = growing.rate_factors(done, plan, RUN)
    decayed = growing.schedule.factors(plan.pace(done), RUN.clock)
    np.testing.assert_allclose(rates / plan.sizes(done), decayed / 50, rtol=1e-12)
    assert rates.tolist() == pytest.approx([1.0] * 100 + [1.0] * 12 + [0.8] * 2)  # 1250 rows are more than there are


def test_a_warm_up_of_the_rate_stays_one_when_the_batch_grows_instead() -> None:
    schedule = {"kind": "warmup", "length": 0.2, "start": 0.1, "then": {"kind": "cosine"}}
    growing = parsed({"kind": "instead_of_decay", "schedule": schedule, "maximum": 0.4})
    plan = plan_of(growing, RUN)
    sizes = plan.sizes(np.arange(plan.steps))
    assert (sizes[:30] == 50).all() and sizes.max() == 400 and (np.diff(sizes) >= 0).all()
    rates = growing.rate_factors(np.arange(plan.steps, dtype=np.float64), plan, RUN)
    assert rates[0] == pytest.approx(0.1) and rates.max() == pytest.approx(0.905, abs=0.01) and rates[-1] < 0.2


def test_growing_instead_of_decay_needs_a_budget_of_rows(cells: Cells) -> None:
    growing = {"kind": "instead_of_decay", "schedule": FALLING}
    with pytest.raises(SpecError, match="batch_schedule: needs a budget in epochs or examples"):
        cells(batch_schedule=growing)
    with pytest.raises(SpecError, match="looks through at most 10000000 updates"):
        cells(batch_schedule=growing, budget={"epochs": 10**9})


CHANGING = {
    "batch_sizes": [36],
    "budget": {"epochs": 4},
    "evaluate": {"every_epochs": 1},
    "batch_schedule": {"kind": "growth", "factor": 3.0, "milestones": [0.3, 0.6]},
}


def test_no_row_comes_twice_in_an_epoch_and_none_is_lost(cells: Cells) -> None:
    (cell,) = cells(**CHANGING)
    taken = [rows.tolist() for _, _, _, rows in batches(cell, 0, torch.device("cpu")) if isinstance(rows, torch.Tensor)]
    flat = [row for rows in taken for row in rows]
    assert flat == [row for epoch in range(4) for row in order(cell, epoch).tolist()]
    assert {len(rows) for rows in taken} >= {36, 108, 324}
    assert len(taken) == cell.steps < 4 * 23


def test_a_run_is_taken_up_anywhere_in_a_changing_batch(cells: Cells, train: Train) -> None:
    (cell,) = cells(**CHANGING)
    whole, parts = train(cell), train(cell, block_steps=5)
    assert parts.bits() == whole.bits()
    rest = train(cell, state=parts.states[6])
    assert rest.curve("batch_size").tobytes() == whole.curve("batch_size")[35:].tobytes()
    assert rest.curve("val_loss")[-1] == whole.curve("val_loss")[-1]


def test_evaluations_come_by_the_rows_of_epochs(cells: Cells, train: Train) -> None:
    (cell,) = cells(**CHANGING)
    done = train(cell)
    assert [cell.examples(step) for step in done.evaluated_at] == [0, 800, 1600, 2400, 3200]
    assert done.curve("batch_size").sum() == 3200
    assert done.result["updates"] == cell.steps


def test_an_epoch_takes_the_mean_time_of_those_that_were_run(cells: Cells, train: Train) -> None:
    (cell,) = cells(**CHANGING)
    result = train(cell).result
    assert result["seconds_per_epoch"] == pytest.approx(result["seconds_per_update"] * cell.steps / 4)


def test_a_schedule_of_the_rate_keeps_to_the_rows(cells: Cells) -> None:
    halved = {"kind": "multistep", "milestones": [2], "unit": "epochs", "gamma": 0.5}
    (cell,) = cells(**CHANGING, schedule=halved)
    done = np.arange(cell.steps)
    rates = cell.rates(done.astype(np.float64))
    assert (rates == np.where(cell.batches.seen(done) >= 1600, 0.25, 0.5)).all()


def test_a_budget_of_updates_measures_fractions_in_updates(cells: Cells) -> None:
    (cell,) = cells(batch_schedule={"kind": "growth", "milestones": [0.5]}, schedule={"kind": "cosine"})
    assert cell.steps == 30
    assert cell.batches.sizes(np.arange(30)).tolist() == [100] * 15 + [200] * 15
    assert cell.rates(np.array([15.0])) == pytest.approx([0.25])


def test_smiths_three_runs_see_equal_rows_in_fewer_updates(cells: Cells) -> None:
    variants = [
        {"name": "decay", "schedule": FALLING},
        {"name": "grow", "batch_schedule": {"kind": "instead_of_decay", "schedule": FALLING}},
    ]
    decay, grow = cells(batch_sizes=[20], budget={"epochs": 10}, variants=variants)
    assert decay.examples(decay.steps) == grow.examples(grow.steps) == 8000
    assert (decay.steps, grow.steps) == (400, 200 + 3 * 8 + 2 * 2)
