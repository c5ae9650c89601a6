"""Runs with a growing batch against those of constant batch size."""

import numpy as np
import pytest
from batchlab.batch_plan import Run
from batchlab.batch_schedules import BatchSchedule, plan_of
from batchlab.equivalence import equivalence
from pydantic import TypeAdapter

RUN = Run(rows=1000, batch_size=50, length=10_000, counted="rows")


def report(**document: object) -> tuple[float, float]:
    """What is saved, and the departure in noise."""
    schedule = TypeAdapter(BatchSchedule).validate_json(TypeAdapter(dict).dump_json(document))
    done = np.arange(plan_of(schedule, RUN).steps, dtype=np.float64)
    found = equivalence(schedule, RUN, done)
    return found.saved, found.departure


def test_a_batch_that_grows_instead_of_the_rate_is_equivalent() -> None:
    for kind in ("cosine", "polynomial", "exponential"):
        saved, departure = report(kind="instead_of_decay", schedule={"kind": kind}, maximum=0.5)
        assert saved > 0.3
        assert departure == pytest.approx(1.0, abs=1e-9)


def test_a_batch_that_grows_alone_is_not() -> None:
    assert report(kind="growth", factor=4.0, milestones=[0.5]) == pytest.approx((0.375, 4.0))
    assert report(kind="constant") == (0.0, 1.0)
