"""Threads that do something again and again (`batchlab_db.periodic`)."""

from batchlab_db.periodic import Every

__all__ = ["Every"]
