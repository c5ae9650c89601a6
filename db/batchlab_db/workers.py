"""Who works here: every worker process writes its own row every few seconds."""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from batchlab.cost import Rates
from batchlab.estimate import Workplace
from pydantic import ValidationError
from sqlalchemy import Connection, Engine, RowMapping, select, text
from sqlalchemy.dialects.postgresql import insert

from batchlab_db.engine import transact
from batchlab_db.tables import Worker

LIVING = "heartbeat_at > clock_timestamp() - make_interval(secs => :alive)"
"""A worker that has written its row within `:alive` seconds."""
ABLE = f"{LIVING} AND state IN ('idle', 'busy')"
"""A living worker that takes work (not draining, not held up by a full disk)."""


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker process says of itself. `id` is new with every process."""

    machine: str = field(default_factory=socket.gethostname)
    """Workers on one machine share its cores and devices: isolation is by machine."""
    pid: int = field(default_factory=os.getpid)
    queues: tuple[str, ...] = ("cpu",)
    device: str = "cpu"
    """`cpu`, or its card as the machine counts them (`cuda:3`), though the process may see no other."""
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    """Kinds whose data it has at hand."""
    id: str = field(default_factory=lambda: uuid4().hex)


def heartbeat(
    engine: Engine,
    me: WorkerInfo,
    *,
    state: str = "idle",
    cohort_id: int | None = None,
    speeds: Mapping[str, float] | None = None,
) -> None:
    """Write the worker's row: what it does now, and (where given) its updates per second by engine."""
    transact(engine, lambda connection: _write(connection, me, state, cohort_id, speeds))


def register(engine: Engine, me: WorkerInfo) -> None:
    """The first heartbeat."""
    heartbeat(engine, me)


def _write(
    connection: Connection, me: WorkerInfo, state: str, cohort_id: int | None, speeds: Mapping[str, float] | None
) -> None:
    now = text("clock_timestamp()")
    said: dict[str, Any] = {
        "state": state,
        "cohort_id": cohort_id,
        "datasets": list(me.datasets),
        "fingerprint": dict(me.fingerprint),
    }
    said |= {} if speeds is None else {"speeds": dict(speeds)}
    row = insert(Worker).values(
        id=me.id,
        machine=me.machine,
        pid=me.pid,
        queues=list(me.queues),
        device=me.device,
        **said,
    )
    connection.execute(row.on_conflict_do_update(index_elements=[Worker.id], set_={**said, "heartbeat_at": now}))


def leave(engine: Engine, me: WorkerInfo, patience: float = 10.0) -> None:
    """Take the worker's row away: it ends by its own will. Where that fails for `patience` seconds, the row ages."""
    gone = text("DELETE FROM workers WHERE id = :id")
    transact(engine, lambda connection: connection.execute(gone, {"id": me.id}), patience=patience)


def everyone(connection: Connection) -> Sequence[RowMapping]:
    """Every worker's row, the latest first, with `age`, the seconds since its heartbeat."""
    age = text("extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 AS age")
    rows = select(Worker.__table__, age).order_by(Worker.heartbeat_at.desc(), Worker.id)
    return connection.execute(rows).mappings().all()


def living(connection: Connection, alive_seconds: float) -> Sequence[RowMapping]:
    """The rows of the workers whose last heartbeat is younger than `alive_seconds`."""
    rows = text(f"SELECT * FROM workers WHERE {LIVING} ORDER BY machine, id")
    return connection.execute(rows, {"alive": alive_seconds}).mappings().all()


def workplace(row: RowMapping) -> Workplace:
    """What a worker's row says of its device, rates and speeds."""
    try:
        rates = {kind: Rates.model_validate(found) for kind, found in row["fingerprint"].get("rates", {}).items()}
    except ValidationError:  # told by another version
        rates = {}
    return Workplace(row["device"], rates, row["speeds"])


def last_workplace(connection: Connection) -> Workplace:
    """The worker that was heard of last; a typical one where there is none."""
    last = "SELECT fingerprint, device, speeds FROM workers ORDER BY heartbeat_at DESC LIMIT 1"
    row = connection.execute(text(last)).mappings().first()
    return Workplace() if row is None else workplace(row)
