"""What a schedule does, drawn without training."""

from typing import Annotated

import numpy as np
from batchlab.schedules import Clock
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
    lr = wanted.lr * wanted.schedule.factors(x - 1, Clock(wanted.steps, wanted.steps_per_epoch))
    momentum = None if wanted.momentum is None else [wanted.momentum] * len(x)
    return models.SchedulePreview(x=x.astype(int).tolist(), lr=lr.tolist(), momentum=momentum)
