"""From a file to a data set that is fit to be kept."""

from typing import BinaryIO

from batchlab.uploads import npz, table
from batchlab.uploads.base import Limits, Task, Upload
from batchlab.uploads.tidy import tidy

ZIP = b"PK"


def read(file: BinaryIO, limits: Limits, *, label: str | None = None, task: Task | None = None) -> Upload:
    """The data set in an npz or csv file (told apart by its first bytes); DataError where it cannot be one.

    `label` names the column of a csv file that holds the labels (default: the one called `label`). Labels that are
    whole numbers are classes, others make a regression, unless `task` says which it is.
    """
    file.seek(0)
    zipped = file.read(len(ZIP)) == ZIP
    file.seek(0)
    raw = npz.read(file, limits) if zipped else table.read(file, limits, label)
    return tidy(raw, limits, task)
