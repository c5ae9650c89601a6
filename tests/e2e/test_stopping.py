"""Stopping a lab as its owner would: a signal to `batchlab up`, with a page open and a slice running."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx2
import psutil
from batchlab_client import Client
from batchlab_lab.addresses import free_port

SPEC = {
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [1],
    "lr": {"rule": "fixed", "base": 0.5},
    "budget": {"epochs": 30},
    "evaluate": {"every_steps": 4000},
    "engine": "reference",
}
HANG_SECONDS = 30
"""A stop that takes longer than this hangs."""


class Up:
    """`batchlab up` on a home and a port, as a process."""

    def __init__(self, home: Path, port: int) -> None:
        program = str(Path(sys.executable).with_name("batchlab"))
        self.process = subprocess.Popen(
            [program, "up", "--data-dir", str(home), "--port", str(port), "--workers", "1"],
            stdout=subprocess.DEVNULL,
            env={**os.environ, "BATCHLAB_BLOCK_SECONDS": "0.2", "BATCHLAB_BALLAST_BYTES": "0"},
        )
        self.client = Client(f"http://127.0.0.1:{port}", patience=60)

    def __enter__(self) -> Self:
        list(self.client.list())
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(HANG_SECONDS)

    def stop(self) -> tuple[int, list[psutil.Process]]:
        """SIGTERM; the exit status, and whichever of its processes outlived it."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(HANG_SECONDS)
        return status, [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_a_stop_ends_every_process_and_the_next_start_goes_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Up(home, free_port("127.0.0.1")) as lab:
        id = lab.client.submit(SPEC).id
        while (done := lab.client.get(id).progress.updates_done) == 0:
            time.sleep(0.05)
        with httpx2.stream("GET", f"{lab.client.url}/experiments/{id}/events", timeout=HANG_SECONDS) as stream:
            lines = stream.iter_lines()
            next(lines)
            status, left = lab.stop()
            assert "event: bye" in list(lines)
        assert (status, left) == (0, [])
    with Up(home, free_port("127.0.0.1")) as again:
        assert again.client.get(id).progress.updates_done >= done
        assert again.client.wait(id, timeout=240).status == "succeeded"
