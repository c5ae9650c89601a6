"""What a worker tells the others every few seconds: that it lives, what it does, and what data it has at hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from batchlab.datasets import Dataset
from batchlab.kinds import members
from batchlab_db import workers

from batchlab_worker.bench import Bench


def beat(bench: Bench) -> None:
    """Write the worker's row, after a look at the disk: a worker that has paused is woken only if it says otherwise."""
    bench.has_room()
    bench.me = replace(bench.me, datasets=available(bench.settings.data_folder))
    control = bench.control
    workers.heartbeat(
        bench.engine, bench.me, state=control.state, cohort_id=control.cohort_id, speeds=dict(control.speeds)
    )


def available(folder: Path) -> tuple[str, ...]:
    """The data sets that need no download."""
    kinds: Sequence[Any] = members(Dataset)
    return tuple(kind.tag() for kind in kinds if kind.at_hand(folder))
