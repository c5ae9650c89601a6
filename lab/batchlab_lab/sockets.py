"""Where sockets lie: in the data directory, or where its path is too long for a socket in a folder of their own."""

import hashlib
import os
import re
import stat
from pathlib import Path

from batchlab_lab.errors import ServerError
from batchlab_lab.identity import own

MAX_SOCKET_PATH = 100
"""Bytes: the kernel's limit is 107."""
SHORT = Path("/tmp")


def socket_folder(folder: Path, socket_name: str) -> Path:
    """`folder`/run, or where that path is too long or odd for a socket a folder in /tmp named after it."""
    inside = folder / "run"
    if len(os.fsencode(inside / socket_name)) < MAX_SOCKET_PATH and re.fullmatch(r"[\w/.+-]+", str(inside), re.ASCII):
        return inside
    return SHORT / f"batchlab-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"


def own_sockets(folder: Path, uid: int | None) -> None:
    """Make the sockets' folder; one that someone else made first is refused."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (uid, os.geteuid()):
            message = f"{folder} belongs to someone else: remove it, or choose another data directory"
            raise ServerError(message) from None
    own(folder, uid)
