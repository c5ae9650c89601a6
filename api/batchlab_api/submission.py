"""From a posted document to a stored experiment: check, plan, gate, store, wake."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from batchlab import estimate
from batchlab.cell import Cell
from batchlab.datasets.user import filled
from batchlab.experiment import ExperimentSpec
from batchlab.plan import Plan, WorkLimits, plan
from batchlab.spec import parse_spec
from batchlab_client import models
from batchlab_db import broker, data, disk, experiments, reads, workers
from batchlab_db.demand import demand
from fastapi import BackgroundTasks
from sqlalchemy import RowMapping
from starlette.responses import Response

from batchlab_api import links
from batchlab_api.lab import Lab
from batchlab_api.problems import ProblemError

Rows = Sequence[RowMapping]


def limits(lab: Lab) -> WorkLimits:
    """How much one experiment may ask for."""
    return WorkLimits(lab.settings.max_cells, lab.settings.max_updates)


def parsed(lab: Lab, document: Any) -> ExperimentSpec:
    """The posted spec, with what the lab knows of the data that users added."""
    return parse_spec(filled(document, lambda name, sha256: lab.read(data.facts, name, sha256)))


def dry_run(lab: Lab, document: Any) -> Response:
    """What the posted spec would cost; nothing is stored."""
    spec = parsed(lab, document)
    costs = plan(spec, limits(lab))
    living = _living(lab)
    report = models.PlanReport(
        name=spec.name,
        cells=len(costs.cells),
        updates=costs.updates,
        analyses=costs.analyses,
        storage=costs.storage_bytes,
        eta_seconds=eta(costs, living),
        warnings=warnings(costs, living),
    )
    return Response(report.model_dump_json(), media_type="application/json")


def submit(lab: Lab, document: Any, key: str | None, background: BackgroundTasks) -> Response:
    """Store the posted spec as an experiment (once for each `key`) and have workers woken after the answer."""
    spec = parsed(lab, document)
    costs = plan(spec, limits(lab))
    refuse_when_full(lab)
    made = experiments.submit(lab.engine, spec, costs, key=key, body_sha256=digest(document))
    living = _living(lab)
    if made.created:
        background.add_task(wake, lab)
    return _accepted(lab, made, spec, costs, living)


def _accepted(lab: Lab, made: experiments.Submitted, spec: ExperimentSpec, costs: Plan, living: Rows) -> Response:
    answer = models.Submitted(
        id=made.id,
        name=spec.name,
        status="queued" if made.created else lab.read(reads.status, made.id, lab.settings.alive_seconds),
        cells=len(costs.cells),
        updates=costs.updates,
        warnings=warnings(costs, living),
        links=links.experiment(made.id),
    )
    headers = {"Location": links.experiment(made.id)["self"]}
    return Response(answer.model_dump_json(), status_code=202, headers=headers, media_type="application/json")


def _living(lab: Lab) -> Rows:
    return lab.read(workers.living, lab.settings.alive_seconds)


def digest(document: Any) -> str:
    """SHA-256 of a JSON document, whatever its spacing and the order of its keys."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def refuse_when_full(lab: Lab) -> None:
    """Refuse what would add data while the database's volume is nearly full."""
    if (short := disk.shortage(lab.settings, "refuse")) is not None:
        least = disk.needed(lab.settings, "refuse", short.total)
        detail = f"{short.free} bytes are free on the database's volume and {least} must be: delete experiments first"
        raise ProblemError("disk-full", detail, members={"free_bytes": short.free, "needed_bytes": least})


def wake(lab: Lab) -> None:
    """Send wake-ups for what is claimable. A lost one is sent again by the reconciler."""
    broker.wake_each(lab.settings, demand(lab.engine, lab.settings))


def warnings(costs: Plan, living: Rows) -> list[str]:
    """What the user should know: the plan's warnings, and what no living worker has."""
    return [*costs.warnings, *_lacking(costs.cells, living)]


def _lacking(cells: Sequence[Cell], living: Rows) -> list[str]:
    if not living:
        return ["no worker is alive: the experiment waits until one starts"]
    there = {name for row in living for name in (*row["queues"], row["device"])}
    devices = sorted({cell.device for cell in cells if cell.queue != "any" and not _is_there(cell, there)})
    kinds = {kind for row in living for kind in row["datasets"]}
    datasets = sorted({dataset.kind for cell in cells for dataset in cell.datasets} - kinds)
    return [
        *(f"no living worker has the device {device}" for device in devices),
        *(f"no living worker has the data of {kind}: `batchlab data fetch {kind}` where it runs" for kind in datasets),
    ]


def _is_there(cell: Cell, there: set[str]) -> bool:
    return (cell.queue if cell.device in ("cpu", "cuda") else cell.device) in there


def eta(costs: Plan, living: Rows) -> float | None:
    """Seconds for these cells at the rates and speeds that the living workers measured; None where none has any."""
    return estimate.eta(costs.cells, [workers.workplace(row) for row in living])
