"""Free space on the database's volume. A full disk stops Postgres for good, so it is met before it happens."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from batchlab_db.settings import Settings

SHARES = {"refuse": 0.10, "pause": 0.05}
"""Parts of a small volume at which the gates close, where that is less than the settings' bytes."""


@dataclass(frozen=True)
class Space:
    """Bytes free and in all on a volume."""

    free: int
    total: int

    def is_below(self, least_bytes: int, least_share: float) -> bool:
        return self.free < min(least_bytes, least_share * self.total)


def space(volume: Path) -> Space:
    """The space of the volume that holds `volume`."""
    usage = shutil.disk_usage(volume)
    return Space(usage.free, usage.total)


def shortage(settings: Settings, gate: Literal["refuse", "pause"]) -> Space | None:
    """The space left where it is below the gate, else None; None too where this process sees no database volume.

    `refuse`: new experiments are refused. `pause`: workers finish their slice and claim nothing more.
    """
    if settings.database_volume is None:
        return None
    least = settings.free_bytes_refuse if gate == "refuse" else settings.free_bytes_pause
    found = space(settings.database_volume)
    return found if found.is_below(least, SHARES[gate]) else None
