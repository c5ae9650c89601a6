"""Stopwatches count the training part of each update alone."""

import pytest
from batchlab.engines import timing
from batchlab.engines.timing import CpuStopwatch


def test_a_lap_is_the_gradient_and_the_step_without_what_lies_between(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 1.0, 5.0, 7.0, 20.0, 20.5, 30.0, 30.25])
    monkeypatch.setattr(timing, "perf_counter", lambda: next(ticks))
    watch = CpuStopwatch()
    for _ in range(8):
        watch.mark()
    assert watch.laps().tolist() == [3.0, 0.75]


def test_laps_are_told_once() -> None:
    watch = CpuStopwatch()
    for _ in range(4):
        watch.mark()
    assert len(watch.laps()) == 1
    assert len(watch.laps()) == 0
