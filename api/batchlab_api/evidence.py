"""What claims are judged by: the stored cells of an experiment, and their curves when a claim asks for them."""

from typing import Any

import numpy as np
from batchlab.claims.quantities import Curve, Row
from batchlab.experiment import ExperimentSpec
from batchlab.spec import parse_spec
from batchlab.verdicts import Verdict, verdicts
from batchlab_db import cells, curves
from batchlab_db.analyses import counted
from sqlalchemy import Connection

POINTS = 20_000
"""Of a curve that a claim reads; evaluations are hardly ever more, so that they are read exactly."""


def judged(connection: Connection, experiment: Row) -> list[Verdict]:
    """The verdicts on an experiment's claims, by its cells as they are now."""
    spec = parsed(experiment["spec"])

    def curve(row: Row, metric: str) -> Curve:
        found = curves.read(connection, row["id"], metric, points=POINTS)
        return found.steps, found.mean.astype(np.float64)

    found = counted.by_cell(connection, experiment["id"])
    every = cells.every(connection, experiment["id"])
    rows = [{**row, "analyses": found.get(row["id"], {})} for row in every]
    return verdicts(spec, rows, curve)


def parsed(spec: Any) -> ExperimentSpec:
    """A stored spec."""
    return parse_spec(dict(spec))
