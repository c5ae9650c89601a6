"""What a worker process works with: settings, database, device, data at hand, and the state that others see."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import structlog
from batchlab import calibration, engines
from batchlab.cell import Cell
from batchlab.cost import Rates
from batchlab.datasets import Arrays, Dataset, User
from batchlab_db import data, disk
from batchlab_db.settings import Settings
from batchlab_db.workers import WorkerInfo
from sqlalchemy import Engine

from batchlab_worker.control import Control
from batchlab_worker.device import own
from batchlab_worker.memory import Service

log = structlog.get_logger("batchlab.worker")


class Trainers:
    """What the database's claim asks about engines (it loads none itself)."""

    def __init__(self) -> None:
        self.rates: dict[str, Rates] = {}
        """By kind of device (cpu, cuda), where they were measured."""

    def measure(self, device: str) -> None:
        """Learn the rates of a device; without them it is taken for a typical one."""
        here = own(device)
        try:
            self.rates[here.partition(":")[0]] = calibration.rates(here)
        except Exception as error:  # whatever is wrong with the device shows in training, where it is dealt with
            log.warning("rates not measured", device=device, error=f"{type(error).__name__}: {error}")

    def rates_of(self, device: str) -> Rates | None:
        """Those of a device, as far as they are known."""
        return self.rates.get(device.partition(":")[0])

    def choose(self, cells: Sequence[Cell], device: str) -> tuple[str, int]:
        """The engine for these cells, of equal `stack_key`, and how many of them, from the first, share a cohort.

        Raises ValueError where this version of the worker has no such engine.
        """
        try:
            here = own(device)
            return engines.plan(cells, here, self.rates_of(here))
        except KeyError as error:
            raise ValueError(f"this worker has no engine {error}") from error

    def fingerprint(self, engine: str, device: str) -> Mapping[str, Any]:
        """Whatever bits depend on."""
        return engines.fingerprint(engine, own(device))


@dataclass
class Bench:
    """One worker process's tools."""

    settings: Settings
    engine: Engine
    me: WorkerInfo
    control: Control = field(default_factory=Control)
    trainers: Trainers = field(default_factory=Trainers)

    service: Service = field(init=False)
    trained_last: bool = False
    """Whether the last slice was one of training."""
    tell: Callable[[], None] = lambda: None
    """Has the next heartbeat come at once."""

    def __post_init__(self) -> None:
        self.service = Service(self.settings.recycle_slices)

    def measure(self) -> None:
        """Learn the rates of what is trained on here (once on a machine, for some seconds), and tell them."""
        for device in dict.fromkeys([self.me.device, *(["cpu"] if "cpu" in self.me.queues else [])]):
            if not self.control.leaving:
                self.trainers.measure(device)
        rates = {kind: found.model_dump(mode="json") for kind, found in self.trainers.rates.items()}
        self.me = replace(self.me, fingerprint={**self.me.fingerprint, "rates": rates})
        self.tell()

    @property
    def home_queue(self) -> str:
        """The queue whose wake-ups are meant for workers like this one."""
        return "gpu" if "gpu" in self.me.queues else "cpu"

    def work_on(self, cohort_id: int | None = None, *, analysis_id: str | None = None) -> None:
        """Say what is being trained or analysed; others are told at once when work begins and when it ends."""
        control, before = self.control, self.control.busy
        control.cohort_id, control.analysis_id = cohort_id, analysis_id
        if control.busy != before:
            self.tell()

    def has_room(self) -> bool:
        """Whether the database's volume has room for more results; while it has not, this worker takes no work."""
        left = disk.shortage(self.settings, "pause")
        if left is not None and not self.control.paused:
            log.warning("paused: disk", free_bytes=left.free)
        self.control.paused = left is not None
        return left is None

    def load(self, dataset: Dataset) -> Arrays:
        """The data set's arrays, kept from the last slices; fetched where they are not here. Raises DataError."""
        added = isinstance(dataset, User)
        folder = self.settings.user_data_folder if added else self.settings.data_folder
        return _load(dataset, folder, self.engine)


@lru_cache(maxsize=2)
def _load(dataset: Dataset, folder: Path, engine: Engine) -> Arrays:
    if isinstance(dataset, User):
        data.bring(engine, dataset, folder)
    elif not dataset.available(folder):
        dataset.fetch(folder)
    arrays: Arrays = dataset.load(folder)
    return arrays
