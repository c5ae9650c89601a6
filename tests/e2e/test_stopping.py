"""Stopping a lab as its owner would: a signal to `batchlab up`, with a page open and a slice running."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest
from batchlab_client import Client
from batchlab_lab.embedded import free_port

SPEC = {
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [1],
    "lr": {"rule": "fixed", "base": 0.5},
    "budget": {"epochs": 30},
    "evaluate": {"every_steps": 4000},
}
HANG_SECONDS = 30
"""A stop that takes longer than this hangs."""


class Up:
    """`batchlab up` on a home and a port, as a process."""

    def __init__(self, home: Path, port: int) -> None:
        command = [sys.executable, "-m", "batchlab_lab", "up", "--data-dir", str(home), "--port", str(port), "--workers", "1"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "BATCHLAB_BLOCK_SECONDS": "0.2"})
        self.client = Client(f"http://127.0.0.1:{port}", patience=60)
        self.client.list()

    def stop(self) -> tuple[int, list[psutil.Process]]:
        """SIGTERM; the exit status, and whichever of its processes outlived it."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(HANG_SECONDS)
        return status, [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"


def test_a_stop_ends_every_process_and_the_next_start_goes_on(home: Path) -> None:
    up = Up(home, free_port("127.0.0.1"))
    id = up.client.submit(SPEC).id
    while (done := up.client.get(id).progress.updates_done) == 0:
        time.sleep(0.05)
    with httpx2.stream("GET", f"{up.client.url}/experiments/{id}/events", timeout=HANG_SECONDS) as stream:
        lines = stream.iter_lines()
        next(lines)
        status, left = up.stop()
        assert "event: bye" in list(lines)
    assert (status, left) == (0, [])
    again = Up(home, free_port("127.0.0.1"))
    assert again.client.get(id).progress.updates_done >= done
    assert again.client.wait(id, timeout=240).status == "succeeded"
    assert again.stop() == (0, [])
