"""Stopwatches: how long the training part of each update took.

An update has four marks: start and end of the gradient, start and end of the step. What lies between the second and the
third (the probes) and after the fourth (probes, evaluation) is not training. The stacked engine marks a run of updates
in the place of one, and shares its lap out in equal parts: on a GPU, where a run is a graph of up to sixteen updates,
seconds tell nothing of one update beside the next.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

MARKS = 4


class Stopwatch(Protocol):
    """`mark` four times an update; `laps` gives the seconds of each update since it was last called."""

    def mark(self) -> None:
        """Take the time, in the order of the device's work."""

    def laps(self) -> NDArray[np.float64]:
        """Seconds of training of each update since the last call: float64, shape (updates,). Forgets the marks."""


class CpuStopwatch:
    """The clock of the machine: torch's CPU work is done when the call returns."""

    def __init__(self) -> None:
        self._marks: list[float] = []

    def mark(self) -> None:
        self._marks.append(perf_counter())

    def laps(self) -> NDArray[np.float64]:
        marks = np.array(self._marks).reshape(-1, MARKS)
        self._marks = []
        return np.asarray((marks[:, 1] - marks[:, 0]) + (marks[:, 3] - marks[:, 2]))


class CudaStopwatch:
    """Events in the stream, read when asked for: the only moment at which the host waits for the device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.current_stream(device)
        self._marks: list[torch.cuda.Event] = []

    def mark(self) -> None:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(self._stream)
        self._marks.append(event)

    def laps(self) -> NDArray[np.float64]:
        torch.cuda.synchronize(self._device)
        marks, self._marks = self._marks, []
        return np.array([_seconds(marks[i : i + MARKS]) for i in range(0, len(marks), MARKS)], np.float64)


def _seconds(marks: Sequence[torch.cuda.Event]) -> float:
    return float(marks[0].elapsed_time(marks[1]) + marks[2].elapsed_time(marks[3])) / 1000.0


def stopwatch(device: torch.device) -> Stopwatch:
    """The stopwatch for work on `device`."""
    return CudaStopwatch(device) if device.type == "cuda" else CpuStopwatch()
