"""A file that only takes space. PostgreSQL does not even start on a full disk: deleting the ballast lets it."""

import contextlib
import os
import shutil
from pathlib import Path

NAME = "ballast"
MOST_SHARE = 0.1
"""Of the free space: a ballast must not itself be what fills the disk."""


def keep(folder: Path, size: int) -> bool:
    """Have `folder`/ballast take `size` bytes (0: be gone); whether it is there then. Makes none on a narrow disk."""
    file = folder / NAME
    if size and held(folder) == size:
        return True
    file.unlink(missing_ok=True)
    if size == 0 or size > MOST_SHARE * shutil.disk_usage(folder).free:
        return False
    return _fill(file, size)


def held(folder: Path) -> int:
    """The bytes that the ballast in `folder` would set free."""
    with contextlib.suppress(FileNotFoundError):
        return (folder / NAME).stat().st_size
    return 0


def _fill(file: Path, size: int) -> bool:
    """Take the space for real (a file with holes would take none); where that fails, a lab runs without."""
    try:
        with file.open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, size)
    except OSError:
        file.unlink(missing_ok=True)
        return False
    return True
