"""The page that Prometheus reads."""

from collections.abc import Iterator

import structlog
from batchlab_db import disk, observe
from batchlab_db.engine import UNREACHABLE
from fastapi import APIRouter
from prometheus_client.metrics_core import Metric
from starlette.responses import Response

from batchlab_api import metrics
from batchlab_api.lab import Lab, LabDep

router = APIRouter(tags=["health"])
log = structlog.get_logger()
PROMETHEUS = "text/plain; version=1.0.0; charset=utf-8"


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def show_metrics(lab: LabDep) -> Response:
    """Counts and gauges in Prometheus' text format."""
    return Response(lab.requests.text(_families(lab)), media_type=PROMETHEUS)


def _families(lab: Lab) -> Iterator[Metric]:
    yield metrics.build_info()
    yield metrics.gauge("sse_streams", "Open event streams.", len(lab.hub))
    yield metrics.counter("auth_failures", "Wrong tokens.", lab.gate.refused)
    yield metrics.gauge("db_pool_in_use", "Connections in use.", lab.connections_in_use)
    if lab.settings.database_volume is not None:
        free = disk.space(lab.settings.database_volume).free
        yield metrics.gauge("disk_free_bytes", "Free space on the database's volume.", free)
    try:
        yield from metrics.of_census(lab.read(observe.census, lab.settings.alive_seconds))
    except UNREACHABLE as error:
        log.warning("no census: the database is away", error=type(error).__name__)
