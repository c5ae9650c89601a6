"""The tables. Postgres is the truth: everything that must survive a lost worker or broker is a row here."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Json = dict[str, Any]


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        datetime: DateTime(timezone=True),
        str: Text,
        int: BigInteger,
        float: Double,
        bool: Boolean,
        bytes: LargeBinary,
        Json: JSONB,
        list[str]: ARRAY(Text),
    }


class Experiment(Base):
    """What was posted. Its shown status is computed at read time (`experiments.status_of`)."""

    __tablename__ = "experiments"

    id: Mapped[str] = mapped_column(primary_key=True)
    """Twelve random characters of a lower-case base 32 alphabet."""
    name: Mapped[str]
    note: Mapped[str] = mapped_column(server_default="")
    tags: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    study: Mapped[str | None]
    spec: Mapped[Json]
    """As posted, defaults filled in."""
    metrics: Mapped[Json]
    """Metric name -> unit."""
    priority: Mapped[int] = mapped_column(Integer, server_default="0")
    cells_total: Mapped[int] = mapped_column(Integer)
    updates_total: Mapped[int]
    paused: Mapped[bool] = mapped_column(server_default=text("false"))
    outcome: Mapped[str | None]
    """succeeded, failed or cancelled once nothing is left to run; null before."""
    error: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default="0")
    """Raised by everything that changes what a reader sees, except series blocks."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    served_at: Mapped[datetime | None]
    """When a slice of it was last claimed: fair sharing serves the least recently served first."""
    deleted_at: Mapped[datetime | None]
    """Marked by DELETE; the reconciler purges the rows in batches."""

    __table_args__ = (
        CheckConstraint("outcome IN ('succeeded','failed','cancelled')", name="outcome"),
        Index("ix_experiments_open", "priority", "served_at", postgresql_where=text("outcome IS NULL")),
        Index("ix_experiments_created", "created_at", "id"),
        Index("ix_experiments_tags", "tags", postgresql_using="gin"),
        {"postgresql_with": {"fillfactor": 70}},
    )


class Cohort(Base):
    """Cells trained together. `epoch` is the fence: every write of a slice first renews the lease under its epoch."""

    __tablename__ = "cohorts"

    id: Mapped[int] = mapped_column(primary_key=True)
    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"), index=True)
    status: Mapped[str] = mapped_column(server_default="running")
    """ready (waits for a worker), running (leased) or done."""
    epoch: Mapped[int] = mapped_column(server_default="1")
    worker_id: Mapped[str | None]
    machine: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    ready_since: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    losses: Mapped[int] = mapped_column(Integer, server_default="0")
    """Leases lost since the last progress (a checkpoint or a finished cell)."""
    progressed: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the present claim has made progress."""
    engine: Mapped[str]
    queue: Mapped[str]
    """any, cpu or gpu."""
    isolated: Mapped[bool] = mapped_column(server_default=text("false"))
    device: Mapped[str]
    fingerprint: Mapped[Json]
    """Engine, device name, library versions, threads: bits depend on them."""
    phase: Mapped[str | None]
    """What the holder was doing at its last renewal."""

    __table_args__ = (
        CheckConstraint("status IN ('ready','running','done')", name="status"),
        Index("ix_cohorts_status", "status", "experiment_id", postgresql_where=text("status <> 'done'")),
        {"postgresql_with": {"fillfactor": 50, "autovacuum_vacuum_scale_factor": 0.01}},
    )
    # No index names lease_until or phase, so that a renewal stays within its page (HOT) and leaves no index behind.


class Cell(Base):
    """One training run."""

    __tablename__ = "cells"

    id: Mapped[int] = mapped_column(primary_key=True)
    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"))
    ordinal: Mapped[int] = mapped_column(Integer)
    variant: Mapped[str | None]
    batch_size: Mapped[int]
    lr: Mapped[float]
    momentum: Mapped[float | None]
    seed: Mapped[int]
    params: Mapped[Json]
    point: Mapped[Json]
    """The resolved `batchlab.cell.Cell`."""
    stack_key: Mapped[str]
    queue: Mapped[str]
    isolated: Mapped[bool] = mapped_column(server_default=text("false"))
    cohort_id: Mapped[int | None] = mapped_column(ForeignKey("cohorts.id", ondelete="SET NULL"), index=True)
    position: Mapped[int | None] = mapped_column(Integer)
    """Place in the cohort."""
    status: Mapped[str] = mapped_column(server_default="queued")
    cause: Mapped[str | None]
    message: Mapped[str | None]
    engine: Mapped[str | None]
    shared_with: Mapped[int | None] = mapped_column(Integer)
    environment: Mapped[Json | None]
    """The cohort's fingerprint, and `seams`: the steps at which it changed."""
    steps_done: Mapped[int] = mapped_column(server_default="0")
    steps_total: Mapped[int]
    work: Mapped[float] = mapped_column(server_default="0.0001")
    """What an update takes, as `batchlab.cost` guesses it."""
    rewind: Mapped[int] = mapped_column(server_default="0")
    """How often stored steps were taken back (readers then drop what they have)."""
    result: Mapped[Json | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("experiment_id", "ordinal"),
        CheckConstraint("status IN ('queued','running','succeeded','diverged','failed','cancelled')", name="status"),
        Index("ix_cells_open", "experiment_id", "ordinal", postgresql_where=text("status IN ('queued','running')")),
        Index(
            "ix_cells_isolated",
            "experiment_id",
            postgresql_where=text("isolated AND status IN ('queued','running')"),
        ),
        {"postgresql_with": {"fillfactor": 70}},
    )


class SeriesBlock(Base):
    """A stretch of one metric of one cell, never changed once written: the steps `first, first + stride .. last`.

    `data` holds their values; one value alone stands for `n` equal ones. Where `same_as` names another metric of the
    cell, its stretch with the same `first` holds what is bit for bit equal, and nothing is stored twice: the view
    `whole_blocks` has each stretch with its values. `l1 .. l7` are the levels of the pyramid:
    bucket i of level l covers the steps [i * 8**l, (i + 1) * 8**l), and the array holds least, greatest, mean and count
    of the finite values of each bucket that the stretch touches, four numbers a bucket, in order. A bucket cut by
    the end of a stretch stands in both neighbours: the reader joins its parts. A level is kept where it saves
    something (`batchlab_db.pyramid.levels`): the reader takes the coarsest one that is fine enough.
    """

    __tablename__ = "series_blocks"

    cell_id: Mapped[int] = mapped_column(ForeignKey("cells.id", ondelete="CASCADE"), primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    first: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int]
    n: Mapped[int]
    stride: Mapped[int]
    same_as: Mapped[str | None]
    data: Mapped[list[float] | None] = mapped_column(ARRAY(REAL))
    l1: Mapped[list[float] | None] = mapped_column(ARRAY(REAL))
    l2: Mapped[list[float] | None] = mapped_column(ARRAY(REAL))
    l3: Mapped[list[float] | None] = mapped_column(ARRAY(REAL))
    l4: Mapped[list[float] | None] = mapped_column(ARRAY(REAL))
    l5: Mapped[list[float] | None] = mapped_column(ARRAY(REAL))
    l6: Mapped[list[float] | None] = mapped_column(ARRAY(REAL))
    l7: Mapped[list[float] | None] = mapped_column(ARRAY(REAL))

    __table_args__ = (CheckConstraint("(data IS NULL) = (same_as IS NOT NULL)", name="values"),)


class Checkpoint(Base):
    """The training state of a cohort after its last stored block (safetensors, in parts)."""

    __tablename__ = "checkpoints"

    cohort_id: Mapped[int] = mapped_column(ForeignKey("cohorts.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int]
    """The epoch under which it was written."""
    steps: Mapped[Json]
    """Position -> updates finished: blocks beyond them are taken back at the next claim."""
    sha256: Mapped[str]
    bytes: Mapped[int]
    written_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class CheckpointPart(Base):
    """A stretch of a checkpoint's bytes."""

    __tablename__ = "checkpoint_parts"

    cohort_id: Mapped[int] = mapped_column(ForeignKey("checkpoints.cohort_id", ondelete="CASCADE"), primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True)
    data: Mapped[bytes]

    __table_args__ = ({"postgresql_with": {"toast.autovacuum_vacuum_scale_factor": 0.02}},)


class WeightContent(Base):
    """Weights that some cell had, whichever it was: safetensors, in parts or elsewhere, never changed once written."""

    __tablename__ = "weights"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    bytes: Mapped[int]
    url: Mapped[str | None]
    """Where they are, if not in parts here."""


class WeightPart(Base):
    """A stretch of the bytes of kept weights."""

    __tablename__ = "weight_parts"

    sha256: Mapped[str] = mapped_column(ForeignKey("weights.sha256", ondelete="CASCADE"), primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True)
    data: Mapped[bytes]


class KeptWeights(Base):
    """The weights of a cell after some number of updates, kept because the spec asks for them."""

    __tablename__ = "kept"

    cell_id: Mapped[int] = mapped_column(ForeignKey("cells.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("weights.sha256"), index=True)
    labels: Mapped[list[str]]
    """The policies that ask for them."""
    written_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Analysis(Base):
    """What is, or is to be, computed from trained cells. `epoch` is its fence, as a cohort's is."""

    __tablename__ = "analyses"

    id: Mapped[str] = mapped_column(primary_key=True)
    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"))
    key: Mapped[str]
    """SHA-256 of `document` and `subjects`: what was asked for before is not computed again."""
    kind: Mapped[str]
    document: Mapped[Json]
    """The resolved `batchlab.analyses.Analysis`."""
    subjects: Mapped[list[Json]] = mapped_column(JSONB)
    """The cells, each with the `steps` and `sha256s` of the weights that are looked at."""
    status: Mapped[str] = mapped_column(server_default="queued")
    cause: Mapped[str | None]
    message: Mapped[str | None]
    fraction: Mapped[float] = mapped_column(server_default="0")
    epoch: Mapped[int] = mapped_column(server_default="0")
    worker_id: Mapped[str | None]
    machine: Mapped[str | None]
    device: Mapped[str | None]
    queue: Mapped[str]
    """any, cpu or gpu."""
    phase: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    losses: Mapped[int] = mapped_column(Integer, server_default="0")
    """Leases lost since the last progress (a stored state)."""
    progressed: Mapped[bool] = mapped_column(server_default=text("false"))
    state_sha256: Mapped[str | None]
    """Of the state from which it goes on."""
    found: Mapped[Json | None]
    """Values by name."""
    meta: Mapped[Json | None]
    """How far to trust them."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    served_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("experiment_id", "key"),
        CheckConstraint("status IN ('queued','running','succeeded','failed','cancelled')", name="status"),
        Index("ix_analyses_open", "status", postgresql_where=text("status IN ('queued','running')")),
        {"postgresql_with": {"fillfactor": 50, "autovacuum_vacuum_scale_factor": 0.01}},
    )


class AnalysisPart(Base):
    """A stretch of what belongs to an analysis: its `state`, or the `arrays` that it has found (safetensors)."""

    __tablename__ = "analysis_parts"

    analysis_id: Mapped[str] = mapped_column(ForeignKey("analyses.id", ondelete="CASCADE"), primary_key=True)
    what: Mapped[str] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True)
    data: Mapped[bytes]

    __table_args__ = ({"postgresql_with": {"toast.autovacuum_vacuum_scale_factor": 0.02}},)


class Worker(Base):
    """A worker process, by its own account every few seconds."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    machine: Mapped[str]
    pid: Mapped[int] = mapped_column(Integer)
    queues: Mapped[list[str]]
    device: Mapped[str]
    fingerprint: Mapped[Json]
    datasets: Mapped[list[str]]
    """Kinds whose data it has at hand."""
    state: Mapped[str] = mapped_column(server_default="idle")
    """idle, busy, draining, or paused: disk."""
    cohort_id: Mapped[int | None]
    speeds: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    """Measured seconds of work (`batchlab.cost`) per second by engine, for the estimate of the time left."""
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class IdempotencyKey(Base):
    """A key that a client sent with a post, and what it made."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(primary_key=True)
    body_sha256: Mapped[str]
    experiment_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Fact(Base):
    """Small facts about the lab itself: the reconciler's last success, counters that Prometheus shows."""

    __tablename__ = "facts"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Json]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Slice(Base):
    """One bounded stretch of work on a cohort, for the timeline and the counters."""

    __tablename__ = "slices"

    id: Mapped[int] = mapped_column(primary_key=True)
    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"), index=True)
    cohort_id: Mapped[int]
    epoch: Mapped[int]
    worker_id: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    """handed_on, finished, fenced, lost, failed, stopped."""
    updates: Mapped[int] = mapped_column(server_default="0")
    work: Mapped[float] = mapped_column(server_default="0")
    """The work of these updates."""
    blocks: Mapped[int] = mapped_column(server_default="0")
    """Blocks recorded: tells a write that is run again from one that is new."""

    __table_args__ = (
        Index("ix_slices_open", "cohort_id", postgresql_where=text("ended_at IS NULL")),
        {"postgresql_with": {"fillfactor": 70}},
    )
