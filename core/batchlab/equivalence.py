"""How a run with a changing batch compares with the run at the batch size of the sweep that sees the same rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from batchlab.batch_plan import Run
from batchlab.batch_schedules import plan_of
from batchlab.schedules import Floats


@dataclass(frozen=True)
class Equivalence:
    """What two runs over equal rows cost, and how their noise per step compares. Arrays have the shape of `done`.

    The noise of a step is taken as the rate over the batch size (Smith & Le 2018), here with a rate of 1 from the rule.
    """

    updates: int
    even_updates: int
    """Updates of the run whose batch size stays."""
    noise: Floats
    even_noise: Floats
    """That of the other run, after as many rows."""

    @property
    def saved(self) -> float:
        """The share of the updates that are saved."""
        return 1.0 - self.updates / self.even_updates

    @property
    def departure(self) -> float:
        """The largest factor between the two noises, either way: 1 where the runs are equivalent."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.abs(np.log(self.noise / self.even_noise))
        return float(np.exp(np.nanmax(ratios, initial=0.0)))


def equivalence(batch_schedule: Any, run: Run, done: Floats) -> Equivalence:
    """The comparison at the updates that follow `done` finished ones, a common schedule of the rate left aside."""
    plan = plan_of(batch_schedule, run)
    noise = batch_schedule.rate_factors(done, plan, run) / plan.sizes(done)
    even = batch_schedule.even_factors(done, plan, run) / run.batch_size
    return Equivalence(plan.steps, run.even.steps, noise, even)
