"""Free space on the database's volume. A full disk stops Postgres for good, so it is met before it happens."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from batchlab_db.settings import Settings

Gate = Literal["refuse", "pause"]
"""`refuse`: new experiments are refused. `pause`: workers finish their slice and claim nothing more."""


@dataclass(frozen=True)
class Space:
    """Bytes free and in all on a volume."""

    free: int
    total: int


def space(volume: Path) -> Space:
    """The space of the volume that holds `volume`."""
    usage = shutil.disk_usage(volume)
    return Space(usage.free, usage.total)


def needed(settings: Settings, gate: Gate, total: int) -> int:
    """The bytes that must be free on a volume of `total` bytes for the gate to be open."""
    least, share = {
        "refuse": (settings.free_bytes_refuse, settings.free_share_refuse),
        "pause": (settings.free_bytes_pause, settings.free_share_pause),
    }[gate]
    return max(least, int(share * total))


def shortage(settings: Settings, gate: Gate) -> Space | None:
    """The space left where it is below the gate, else None; None too where this process sees no database volume."""
    if settings.database_volume is None:
        return None
    found = space(settings.database_volume)
    return found if found.free < needed(settings, gate, found.total) else None
