"""Where sockets lie: in the data directory, or where its path is too long for a socket in a folder of their own."""

import hashlib
import os
import re
from pathlib import Path

MAX_SOCKET_PATH = 100
"""Bytes: the kernel's limit is 107."""
SHORT = Path("/tmp")


def socket_folder(folder: Path, socket_name: str) -> Path:
    """`folder`/run, or where that path is too long or odd for a socket a folder in /tmp named after it."""
    inside = folder / "run"
    if len(os.fsencode(inside / socket_name)) < MAX_SOCKET_PATH and re.fullmatch(r"[\w/.+-]+", str(inside), re.ASCII):
        return inside
    return SHORT / f"batchlab-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
