"""What schedules do to rate, momentum and batch size, drawn without training."""

from typing import Annotated, Any

import numpy as np
from batchlab.batch_schedules import clock_of, plan_of
from batchlab.equivalence import equivalence
from batchlab.errors import Fault, SpecError
from batchlab.schedules import Clock, Floats, momentum_factors
from batchlab_client import models
from fastapi import APIRouter, Depends

from batchlab_api.bodies import body_of
from batchlab_api.openapi import body
from batchlab_api.requests import PreviewRequest

router = APIRouter(prefix="/schedules", tags=["schedules"])


@router.post("/preview", openapi_extra=body(PreviewRequest))
def preview_schedule(wanted: Annotated[PreviewRequest, Depends(body_of(PreviewRequest))]) -> models.SchedulePreview:
    """Rates (and momentum, and batch sizes) by number of update, without training."""
    if wanted.batch_schedule.kind == "constant":
        done = _places(wanted.steps, wanted.points)
        return _preview(wanted, done, Clock(wanted.steps, wanted.steps_per_epoch), np.ones_like(done))
    return _changing(wanted)


def _changing(wanted: PreviewRequest) -> models.SchedulePreview:
    schedule, run = wanted.batch_schedule, wanted.run
    try:
        plan = plan_of(schedule, run)
    except SpecError as error:
        raise SpecError([Fault(("batch_schedule", *fault.loc), fault.msg) for fault in error.faults]) from error
    done = _places(plan.steps, wanted.points)
    report = equivalence(schedule, run, done)
    return _preview(
        wanted,
        done,
        clock_of(schedule, run),
        schedule.rate_factors(done, plan, run),
        batch_size=plan.sizes(done).tolist(),
        equivalence=models.Equivalence(
            updates=report.updates,
            even_updates=report.even_updates,
            saved=report.saved,
            noise=(wanted.lr * report.noise).tolist(),
            even_noise=(wanted.lr * report.even_noise).tolist(),
            departure=report.departure,
        ),
    )


def _places(steps: int, points: int) -> Floats:
    """Numbers of finished updates, evenly spaced over the run, both ends among them."""
    return np.asarray(np.unique(np.linspace(1, steps, min(points, steps)).round()) - 1.0)


def _preview(
    wanted: PreviewRequest, done: Floats, clock: Clock, factors: Floats, **more: Any
) -> models.SchedulePreview:
    lr = wanted.lr * wanted.schedule.factors(done, clock) * factors
    moved = momentum_factors(wanted.schedule, wanted.momentum_schedule, done, clock)
    momentum = None if wanted.momentum is None else (wanted.momentum * moved).tolist()
    return models.SchedulePreview(x=(done + 1).astype(int).tolist(), lr=lr.tolist(), momentum=momentum, **more)
