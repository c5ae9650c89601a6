"""How long a cell may train."""

import math

from batchlab.cell import Cell
from batchlab.engines.tally import Tally
from batchlab.errors import CellTimeout


def time_left(cell: Cell, tally: Tally) -> float:
    """Seconds for which the cell may still train; infinite without a limit."""
    limit = cell.limits.seconds_per_cell
    return math.inf if limit is None else limit - tally.train_seconds


def check_time(cell: Cell, tally: Tally) -> None:
    """CellTimeout where the cell has trained for as long as it may."""
    limit = cell.limits.seconds_per_cell
    if limit is not None and time_left(cell, tally) <= 0:
        raise CellTimeout(f"trained for {tally.train_seconds:.1f} s of {limit:g} s: raise limits.seconds_per_cell")
