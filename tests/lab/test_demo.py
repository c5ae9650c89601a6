"""`batchlab demo` as a user starts it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batchlab_client import Client
from batchlab_lab import exits

DEMO = [sys.executable, "-c", "from batchlab_lab.cli import main; main()", "demo", "--workers", "1"]


@contextmanager
def demo(home: Path, size: str) -> Iterator["subprocess.Popen[str]"]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BATCHLAB_")}
    environ |= {"BATCHLAB_HOME": str(home), "BATCHLAB_BALLAST_BYTES": "1048576", "PYTHONUNBUFFERED": "1"}
    command = [*DEMO, "--size", size]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ) as process:
        yield process


def test_it_awaits_a_worker_shows_the_results_and_saves_the_figure(tmp_path: Path) -> None:
    with demo(tmp_path / "home", "smoke") as process:
        said, _ = process.communicate(timeout=240)
    assert process.returncode == exits.SUCCEEDED, said
    assert "mean_grad_norm_weights" in said
    assert "From batch size 4 on, the mean gradient norm falls." in said
    assert "no worker is alive" not in said
    assert (tmp_path / "home" / "figures" / "grad-norm-vs-batch.svg").read_text().startswith("<svg")
    assert (tmp_path / "home" / "ballast").stat().st_size == 2**20


def test_a_demo_that_somebody_cancels_says_so_by_its_status(tmp_path: Path) -> None:
    with demo(tmp_path / "home", "full") as process:
        assert process.stdout is not None
        found = None
        while found is None:
            line = process.stdout.readline()
            assert line, "the demo ended early"
            found = re.search(r"(http://[^/]+)/#/experiments/(\w+)", line)
        with Client(found[1]) as client:
            client.cancel(found[2])
        said, _ = process.communicate(timeout=120)
    assert process.returncode == exits.CANCELLED
    assert "The experiment was cancelled." in said
