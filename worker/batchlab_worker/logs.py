"""Logs: as everywhere in the house (`batchlab_db.logs`)."""

from batchlab_db.logs import configure, redact

__all__ = ["configure", "redact"]
