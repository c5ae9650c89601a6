"""The bytes that belong to an analysis, in parts: the state from which it goes on, the arrays that it has found."""

from typing import Literal

from sqlalchemy import Connection, text

from batchlab_db.checkpoints import PART_BYTES

What = Literal["state", "arrays"]

_SAVE = text(
    """
    INSERT INTO analysis_parts (analysis_id, what, part, data) VALUES (:id, :what, :part, :data)
    ON CONFLICT (analysis_id, what, part) DO UPDATE SET data = excluded.data
    """
)
_REMOVE = text("DELETE FROM analysis_parts WHERE analysis_id = :id AND what = :what AND part >= :first")
_LOAD = text("SELECT data FROM analysis_parts WHERE analysis_id = :id AND what = :what ORDER BY part")


def save(connection: Connection, analysis: str, what: What, data: bytes) -> None:
    """Keep `data` in place of what was there."""
    cut = [data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)]
    remove(connection, analysis, what, first=len(cut))
    if cut:
        rows = [{"id": analysis, "what": what, "part": i, "data": part} for i, part in enumerate(cut)]
        connection.execute(_SAVE, rows)


def remove(connection: Connection, analysis: str, what: What, first: int = 0) -> None:
    """Remove the parts from `first` on."""
    connection.execute(_REMOVE, {"id": analysis, "what": what, "first": first})


def load(connection: Connection, analysis: str, what: What) -> bytes:
    """The bytes; empty where there are none."""
    return b"".join(connection.scalars(_LOAD, {"id": analysis, "what": what}))
