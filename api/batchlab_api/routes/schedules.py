"""What a schedule does, drawn without training."""

from typing import Annotated

import numpy as np
from batchlab.schedules import Clock, momentum_factors
from batchlab_client import models
from fastapi import APIRouter, Depends

from batchlab_api.bodies import body_of
from batchlab_api.openapi import body
from batchlab_api.requests import PreviewRequest

router = APIRouter(prefix="/schedules", tags=["schedules"])


@router.post("/preview", openapi_extra=body(PreviewRequest))
def preview_schedule(wanted: Annotated[PreviewRequest, Depends(body_of(PreviewRequest))]) -> models.SchedulePreview:
    """Rates (and momentum) by number of update, without training."""
    x = np.unique(np.linspace(1, wanted.steps, min(wanted.points, wanted.steps)).round())
    clock = Clock(wanted.steps, wanted.steps_per_epoch)
    lr = wanted.lr * wanted.schedule.factors(x - 1, clock)
    factors = momentum_factors(wanted.schedule, wanted.momentum_schedule, x - 1, clock)
    momentum = None if wanted.momentum is None else (wanted.momentum * factors).tolist()
    return models.SchedulePreview(x=x.astype(int).tolist(), lr=lr.tolist(), momentum=momentum)
