"""Telling readers that something changed."""

from sqlalchemy import Connection, text

_TOUCH = text("UPDATE experiments SET version = version + 1 WHERE id = :id")


def touch(connection: Connection, experiment_id: str) -> None:
    """Tell readers that something changed. Takes the experiment's row: the last lock of a transaction."""
    connection.execute(_TOUCH, {"id": experiment_id})
