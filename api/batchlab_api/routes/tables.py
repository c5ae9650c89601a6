"""The sources' tables that set a small batch beside a large one, measured."""

from dataclasses import asdict

from batchlab.statistics import Summary
from batchlab.studies.table import STUDY, Measured, tables
from batchlab_client import models
from batchlab_db import cells, reads
from batchlab_db.errors import NotFound
from fastapi import APIRouter

from batchlab_api.evidence import parsed
from batchlab_api.lab import LabDep
from batchlab_api.params import ExperimentId
from batchlab_api.routes.verdicts import unfinished

router = APIRouter(prefix=f"/studies/{STUDY.name}/experiments/{{id}}", tags=["studies"])


@router.get("/table")
def get_table(lab: LabDep, id: ExperimentId) -> models.Tables:
    """Tables 6.7.2 and 3.1 with every cell measured by this experiment of the study, and each line judged."""
    with lab.engine.connect() as connection:
        row = reads.experiment(connection, id, lab.settings.alive_seconds)
        if row["study"] != STUDY.name:
            raise NotFound(f"experiment {id} is not of the study {STUDY.name}: POST /studies/{STUDY.name}/experiments")
        rows = [dict(cell) for cell in cells.every(connection, id)]
    found = tables(parsed(row["spec"]), rows)
    shown = [models.Table(number=one.number, lines=[_line(line) for line in one.lines]) for one in found]
    return models.Tables(experiment=id, tables=shown, preliminary=unfinished(row))


def _line(measured: Measured) -> models.TableLine:
    return models.TableLine(
        title=measured.line.title,
        quantity=measured.quantity,
        small=_cell(measured.line.small, measured.small),
        large=_cell(measured.line.large, measured.large),
        verdict=models.Verdict.model_validate(asdict(measured.verdict)),
    )


def _cell(says: str, found: Summary | None) -> models.TableCell:
    if found is None:
        return models.TableCell(says=says, n=0, mean=None, sd=None, ci95=None)
    return models.TableCell(says=says, n=found.n, mean=found.mean, sd=found.sd, ci95=found.ci95)
