"""The second half of a claim: read the checkpoint, take back what was stored beyond it, note where bits may differ."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from batchlab.engines import IN_TURN
from sqlalchemy import Connection, RowMapping, text

from batchlab_db import checkpoints
from batchlab_db import kept as keeping
from batchlab_db.leases import Lease, LeasedCell, enter
from batchlab_db.outcomes import touch

Json = Mapping[str, Any]

_MEMBERS = text(
    "SELECT id, position, point, status, environment, work FROM cells WHERE cohort_id = :cohort ORDER BY id "
    "FOR NO KEY UPDATE"
)
_START = text(
    """
    UPDATE cells SET status = 'running', started_at = coalesce(started_at, clock_timestamp()), engine = :engine,
        shared_with = :shared_with, environment = CAST(:environment AS jsonb), steps_done = :steps,
        rewind = rewind + :rewound
    WHERE id = :cell
    """
)


def restore(connection: Connection, lease: Lease, fingerprint: Json) -> None:
    """Fill the lease with its cells and the state to go on from, in a transaction of its own behind the fence."""
    enter(connection, lease, "restore")
    members = connection.execute(_MEMBERS, {"cohort": lease.cohort_id}).mappings().all()
    stored = checkpoints.load(connection, lease.cohort_id)
    running = [row for row in members if row["status"] in ("queued", "running")]
    kept = {row["id"]: _kept(stored, row["position"]) for row in running}
    rewound = checkpoints.take_back(connection, kept)
    keeping.take_back(connection, kept)
    common = {"engine": lease.engine, "shared_with": 0 if lease.engine in IN_TURN else len(members) - 1}
    for row in running:
        environment = _environment(row, fingerprint, kept[row["id"]])
        steps = {"cell": row["id"], "steps": max(kept[row["id"]], 0), "rewound": int(row["id"] in rewound)}
        connection.execute(_START, {**common, **steps, "environment": json.dumps(environment)})
    touch(connection, lease.experiment_id)
    lease.cells = _leased(members, kept)
    lease.open = {cell.position for cell in lease.cells if not cell.ended}
    lease.checkpoint = None if stored is None else stored.data


def _kept(stored: checkpoints.Stored | None, position: int) -> int:
    """Updates that the checkpoint covers; -1 where training begins anew, so that step 0 is measured again too."""
    return -1 if stored is None else stored.steps[position]


def _environment(row: RowMapping, now: Json, kept: int) -> dict[str, Any]:
    """The cell's environment; where it changed after `kept` updates, with one seam more: what it was before."""
    before = row["environment"]
    if before is None or kept < 0:
        return {**now, "seams": []}
    was = {name: value for name, value in before.items() if name != "seams"}
    changed = {name: was.get(name) for name in {*was, *now} if was.get(name) != now.get(name)}
    seam = [{"step": kept, "before": changed}] if changed else []
    return {**now, "seams": [*before["seams"], *seam]}


def _leased(members: Sequence[RowMapping], kept: Mapping[int, int]) -> tuple[LeasedCell, ...]:
    cells = []
    for row in sorted(members, key=lambda row: int(row["position"])):
        status = "running" if row["id"] in kept else row["status"]
        done = max(kept.get(row["id"], 0), 0)
        cells.append(LeasedCell(row["id"], row["position"], row["point"], done, status, row["work"]))
    return tuple(cells)
