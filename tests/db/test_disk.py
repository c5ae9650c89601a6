"""The gates of the disk: by bytes and by the share of the volume, whichever is more."""

from pathlib import Path

import pytest
from batchlab_db import disk
from batchlab_db.settings import Settings

GB = 10**9


@pytest.mark.parametrize(
    ("total", "refuse", "pause"), [(5 * GB, 2 * GB, 1 * GB), (20 * GB, 2 * GB, 1 * GB), (300 * GB, 30 * GB, 15 * GB)]
)
def test_a_gate_closes_at_its_bytes_or_its_share_whichever_is_more(total: int, refuse: int, pause: int) -> None:
    known = Settings()
    assert (disk.needed(known, "refuse", total), disk.needed(known, "pause", total)) == (refuse, pause)


def test_new_work_is_refused_before_workers_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watching = Settings(database_volume=tmp_path)
    for free, closed in ((12, ()), (7, ("refuse",)), (4, ("refuse", "pause"))):
        monkeypatch.setattr(disk, "space", lambda _, free=free: disk.Space(free * GB, 100 * GB))
        assert tuple(gate for gate in ("refuse", "pause") if disk.shortage(watching, gate)) == closed


def test_a_volume_that_cannot_be_seen_is_not_watched() -> None:
    assert disk.shortage(Settings(free_bytes_pause=1 << 62), "pause") is None
