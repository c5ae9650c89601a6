"""What plots are drawn from: one stored experiment, read as far as a plot asks."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from batchlab.results import group_cells
from batchlab.verdicts import Verdict
from batchlab_db import cells
from batchlab_db.analyses import reads as analyses
from sqlalchemy import Connection, RowMapping

from batchlab_api import series
from batchlab_api.axis import Axis
from batchlab_api.evidence import judged
from batchlab_api.plots.source import Row
from batchlab_api.series import Asked, Grouping


class StoredSource:
    """An experiment in the database, by its row and an open connection."""

    def __init__(self, connection: Connection, experiment: Row) -> None:
        self._connection, self.experiment = connection, experiment

    @cached_property
    def cells(self) -> Sequence[Row]:
        return [dict(row) for row in cells.every(self._connection, self.experiment["id"])]

    @cached_property
    def groups(self) -> Sequence[Row]:
        return group_cells(self.cells)

    @cached_property
    def analyses(self) -> Sequence[Row]:
        rows = analyses.listing(self._connection, self.experiment["id"])
        return [_analysis(row) for row in rows if row["status"] == "succeeded"]

    def arrays(self, analysis: str) -> Mapping[str, Any]:
        return analyses.arrays(self._connection, self.experiment["id"], analysis)

    @cached_property
    def verdicts(self) -> Sequence[Verdict]:
        return judged(self._connection, self.experiment)

    def curves(self, metrics: Sequence[str], points: int, x: Axis, group: Grouping) -> Sequence[dict[str, Any]]:
        asked = Asked(tuple(metrics), points=points, x=x, group=group)
        found = series.members(self._connection, self.experiment["id"], asked)
        return [one.model_dump() for one in series.read(self._connection, found, asked)]


def _analysis(row: RowMapping) -> dict[str, Any]:
    looked_at = [one["cell"] for one in row["subjects"]]
    return {"id": row["id"], "kind": row["kind"], "cells": looked_at, "values": row["found"], "meta": row["meta"]}
