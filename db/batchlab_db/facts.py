"""Small facts about the lab itself: when the reconciler last ran, and counters for the metrics page."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

_PUT = text(
    """
    INSERT INTO facts (name, value) VALUES (:name, CAST(:value AS jsonb))
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, at = clock_timestamp()
    """
)
_COUNT = text(
    """
    INSERT INTO facts (name, value) VALUES (:name, jsonb_build_object('n', CAST(:by AS bigint)))
    ON CONFLICT (name) DO UPDATE
    SET value = jsonb_build_object('n', (facts.value ->> 'n')::bigint + :by), at = clock_timestamp()
    """
)
_GET = text("SELECT value, at, extract(epoch FROM clock_timestamp() - at) AS age FROM facts WHERE name = :name")


class Known:
    """A fact: its value, when it was written, and how many seconds ago."""

    def __init__(self, value: dict[str, Any], at: datetime, age: float) -> None:
        self.value, self.at, self.age = value, at, age


def put(connection: Connection, name: str, json: str = "{}") -> None:
    """Write a fact; `json` is its value as JSON text."""
    connection.execute(_PUT, {"name": name, "value": json})


def count(connection: Connection, name: str, by: int = 1) -> None:
    """Raise a counter."""
    if by:
        connection.execute(_COUNT, {"name": name, "by": by})


def get(connection: Connection, name: str) -> Known | None:
    """A fact, or None where it was never written."""
    row = connection.execute(_GET, {"name": name}).one_or_none()
    return None if row is None else Known(row.value, row.at, float(row.age))


def counters(connection: Connection) -> dict[str, int]:
    """Every counter and its value."""
    rows = connection.execute(text("SELECT name, (value ->> 'n')::bigint FROM facts WHERE value ? 'n' ORDER BY name"))
    return {name: int(value) for name, value in rows}
