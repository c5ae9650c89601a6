"""Schedules against their formulas and the values that other code gives."""

import math
from typing import Any

import numpy as np
import pytest
from batchlab.schedules import Clock, Schedule
from pydantic import TypeAdapter

CLOCK = Clock(steps=1000, steps_per_epoch=10)


def factors(schedule: dict[str, Any], done: list[float], clock: Clock = CLOCK) -> list[float]:
    parsed = TypeAdapter(Schedule).validate_python(schedule)
    return [float(f) for f in parsed.factors(np.array(done, np.float64), clock)]


def test_goyals_warm_up_rises_per_update_from_the_reference_rate() -> None:
    warm_up = {"kind": "warmup", "length": 785, "unit": "steps", "start": 0.1 / 3.2}
    assert [3.2 * f for f in factors(warm_up, [0, 392, 785, 999])] == pytest.approx([0.1, 1.6480255, 3.2, 3.2])


def test_a_constant_warm_up_jumps_at_its_end() -> None:
    warm_up = {"kind": "warmup", "length": 0.005, "start": 0.25, "shape": "constant"}
    assert factors(warm_up, [0, 4, 5, 6]) == [0.25, 0.25, 1.0, 1.0]


def test_a_warm_up_wraps_any_schedule_on_the_runs_own_time() -> None:
    steps = {"kind": "multistep", "milestones": (30.0, 60.0, 80.0), "unit": "epochs"}
    warm_up = {"kind": "warmup", "length": 5, "unit": "epochs", "start": 0.0, "then": steps}
    assert factors(warm_up, [0, 25, 50, 299, 300, 600, 800]) == pytest.approx([0, 0.5, 1, 1, 0.1, 0.01, 0.001])


def test_a_milestone_slows_the_update_that_follows_it() -> None:
    assert factors({"kind": "multistep", "milestones": (0.5,), "gamma": 0.2}, [499, 500]) == [1.0, 0.2]


def test_a_cosine_falls_to_its_end_and_stays() -> None:
    cosine = {"kind": "cosine", "length": 10, "unit": "steps"}
    expected = [0.5 * (1 + math.cos(math.pi * t / 10)) for t in (0, 5, 9)] + [0.0, 0.0]
    assert factors(cosine, [0, 5, 9, 10, 50]) == pytest.approx(expected)
    assert 0.1 * factors(cosine, [9])[0] == pytest.approx(0.00244717, abs=5e-9)
    assert factors(cosine | {"end": 0.1}, [10]) == pytest.approx([0.1])


@pytest.mark.parametrize("unit", ["fraction", "epochs", "steps"])
def test_lengths_are_measured_in_the_unit_that_the_schedule_names(unit: str) -> None:
    length = {"fraction": 0.1, "epochs": 10.0, "steps": 100.0}[unit]
    assert factors({"kind": "warmup", "length": length, "unit": unit}, [50]) == pytest.approx([0.5])
