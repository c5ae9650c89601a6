"""How far an experiment is, from the database's row."""

from batchlab_client import models
from batchlab_db import reads
from batchlab_db.reads import Row

COUNTS = tuple(models.CellCounts.model_fields)


def of(row: Row) -> models.Progress:
    """How far an experiment (as `reads` gives it) is."""
    return models.Progress(
        cells=models.CellCounts(**{status: row[status] for status in COUNTS}),
        updates_done=row["updates_done"],
        updates_total=row["updates_total"],
        eta_seconds=reads.eta_seconds(row),
    )
