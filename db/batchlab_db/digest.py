"""A fingerprint of what an experiment measured: equal digests, equal bits.

In it: by ordinal, each cell's resolved point, status, cause, result, and the raw bytes of every series by metric and
step. Left out: ids, times of day, whatever is measured in seconds, who worked when, where blocks begin, and what is
kept of the weights.
"""

import hashlib
import json
from itertools import groupby
from typing import Any

import numpy as np
from batchlab.metrics import TIMED_RESULTS, TIMES
from sqlalchemy import Engine, text

from batchlab_db import raw
from batchlab_db.errors import NotFound
from batchlab_db.raw import Stretch
from batchlab_db.reads import storable

UNMEASURED = frozenset({"checkpoints"})
"""Fields of a cell that change nothing of what an engine measures (weights kept on the way may change the engine)."""
_RECORD = np.dtype([("step", "<i8"), ("bits", "<u4")])
_CELLS = text(
    """
    SELECT c.id, c.ordinal, c.point, c.status, c.cause, c.result
    FROM experiments e JOIN cells c ON c.experiment_id = e.id
    WHERE e.id = :id AND e.deleted_at IS NULL ORDER BY c.ordinal
    """
)


def digest(engine: Engine, experiment_id: str) -> dict[str, Any]:
    """`{"digest": hex, "cells": [{"ordinal", "digest"}]}`: SHA-256 of the whole and of each cell. Raises NotFound.

    Memory is bounded by a few blocks. Of an experiment that still runs it is the digest of some moment of each series.
    """
    with engine.connect() as connection:
        rows = connection.execute(_CELLS, {"id": storable(experiment_id)}).mappings().all()
    if not rows:
        raise NotFound(f"there is no experiment {experiment_id}")
    measured = _measured(engine, [row["id"] for row in rows])
    cells = [{"ordinal": row["ordinal"], "digest": _cell(row, measured[row["id"]])} for row in rows]
    return {"digest": hashlib.sha256(_canonical(cells)).hexdigest(), "cells": cells}


def _measured(engine: Engine, cells: list[int]) -> dict[int, dict[str, str]]:
    """For each cell and metric: SHA-256 over the step (8 bytes) and the value (4, as stored) of each of its steps."""
    found: dict[int, dict[str, str]] = {cell: {} for cell in cells}
    for (cell, metric), parts in groupby(raw.stretches(engine, cells), key=lambda stretch: stretch[:2]):
        if metric not in TIMES:
            series = hashlib.sha256()
            for part in parts:
                series.update(_records(part))
            found[cell][metric] = series.hexdigest()
    return found


def _cell(row: Any, measured: dict[str, str]) -> str:
    facts = {name: row[name] for name in ("status", "cause")} | {"point": _measured_point(row["point"])}
    whole = facts | {"result": _untimed(row["result"]), "series": measured}
    return hashlib.sha256(_canonical(whole)).hexdigest()


def _measured_point(point: dict[str, Any]) -> dict[str, Any]:
    """The point without what changes nothing that is measured."""
    return {name: value for name, value in point.items() if name not in UNMEASURED}


def _untimed(result: dict[str, Any] | None) -> dict[str, Any] | None:
    return result and {name: value for name, value in result.items() if name not in TIMED_RESULTS}


def _records(stretch: Stretch) -> bytes:
    """Little-endian records, so that it does not matter where a stretch ends."""
    records = np.empty(len(stretch.steps), dtype=_RECORD)
    records["step"] = stretch.steps
    records["bits"] = np.ascontiguousarray(stretch.values).view(np.uint32)
    return records.tobytes()


def _canonical(value: Any) -> bytes:
    """JSON that depends on nothing but the value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
