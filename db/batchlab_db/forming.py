"""A cohort is formed by the first claim, on a worker that knows its device; who belongs to it is final."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from batchlab.cell import Cell
from batchlab.errors import BatchlabError
from sqlalchemy import Connection, RowMapping, text

from batchlab_db.choosing import Piece
from batchlab_db.outcomes import settle
from batchlab_db.workers import WorkerInfo

MOST_CELLS = 1024
"""Cells of one cohort at most."""
FIRST_LOOK, WIDER = 16, 4
"""So many cells are looked at at first, and so many times as many where the engine would take them all: each is locked
and read, while whoever else claims of this experiment waits."""

_CANDIDATES = text(
    """
    SELECT id, point FROM cells
    WHERE experiment_id = :experiment AND status = 'queued' AND cohort_id IS NULL
        AND stack_key = :stack_key AND queue = :queue AND isolated = :isolated
    ORDER BY ordinal LIMIT :most
    FOR UPDATE
    """
)
_INSERT = text(
    """
    INSERT INTO cohorts (experiment_id, status, epoch, engine, queue, isolated, device, fingerprint, machine)
    VALUES (:experiment, 'ready', 0, :engine, :queue, :isolated, :device, CAST(:fingerprint AS jsonb), :machine)
    RETURNING id
    """
)
_JOIN = text(
    """
    UPDATE cells SET cohort_id = :cohort, position = place.position - 1
    FROM unnest(CAST(:cells AS bigint[])) WITH ORDINALITY AS place(id, position) WHERE cells.id = place.id
    """
)
_REFUSE = text(
    """
    UPDATE cells SET status = 'failed', cause = 'code_error', message = :message, finished_at = clock_timestamp()
    WHERE id = ANY(:cells)
    """
)


class Engines(Protocol):
    """What a worker knows of engines and this package does not (it loads no torch)."""

    def choose(self, cells: Sequence[Cell], device: str) -> tuple[str, int]:
        """The engine for these cells (of equal `stack_key`), and how many of them from the first it trains together.

        Where it would take all, it is asked again with more of them, if there are more: the answer for the first n
        cells is that for all of them, but never more than n.
        """

    def fingerprint(self, engine: str, device: str) -> Mapping[str, Any]:
        """Engine, device name, library versions, threads: whatever bits depend on."""


def device_for(queue: str, me: WorkerInfo) -> str:
    """Where this worker trains cells of `queue` (that may ask for one card: then it is this worker's)."""
    return "cpu" if queue == "cpu" else me.device


def form(connection: Connection, piece: Piece, me: WorkerInfo, engines: Engines) -> int | None:
    """Make a waiting cohort of the piece's cells; returns its id. Cells that nobody here can read become failed."""
    asked = {"experiment": piece.experiment_id, "stack_key": piece.stack_key, "queue": piece.queue}
    device, look = device_for(piece.queue, me), FIRST_LOOK
    while True:
        candidates = connection.execute(_CANDIDATES, {**asked, "isolated": piece.isolated, "most": look}).mappings()
        rows, found = _readable(connection, piece.experiment_id, candidates.all())
        if not rows:
            return None
        try:
            engine, size = engines.choose(found, device)
        except (ValueError, BatchlabError) as error:  # cells that nobody here can train must not stop the queue
            _refuse(connection, piece.experiment_id, rows, error)
            return None
        if size < look or look >= MOST_CELLS:
            break
        look = min(look * WIDER, MOST_CELLS)
    cohort: int = connection.execute(
        _INSERT,
        {
            **asked,
            "isolated": piece.isolated,
            "engine": engine,
            "device": device,
            "machine": me.machine,
            "fingerprint": json.dumps(dict(engines.fingerprint(engine, device))),
        },
    ).scalar_one()
    connection.execute(_JOIN, {"cohort": cohort, "cells": [row["id"] for row in rows[:size]]})
    return cohort


def _readable(
    connection: Connection, experiment_id: str, rows: Sequence[RowMapping]
) -> tuple[list[RowMapping], list[Cell]]:
    """The rows that this version can read, with their cells; the others become failed."""
    good: list[RowMapping] = []
    found: list[Cell] = []
    for row in rows:
        try:
            found.append(parse(row["point"]))
            good.append(row)
        except (ValueError, BatchlabError) as error:
            _refuse(connection, experiment_id, [row], error)
    return good, found


def parse(point: Mapping[str, Any]) -> Cell:
    """The resolved cell of a row's `point`."""
    return Cell.model_validate_json(json.dumps(point))


def _refuse(connection: Connection, experiment_id: str, rows: Sequence[RowMapping], error: Exception) -> None:
    message = f"no cohort could be formed: {type(error).__name__}: {error}"
    connection.execute(_REFUSE, {"cells": [row["id"] for row in rows], "message": message[:4000]})
    settle(connection, experiment_id)
