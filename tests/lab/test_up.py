"""`batchlab up` as a user starts it: what it prints, what it keeps, and that nothing is left of it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from batchlab_client import Client

BATCHLAB = [sys.executable, "-c", "from batchlab_lab.cli import main; main()"]
SPEC = {
    "name": "small",
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [50],
    "lr": {"rule": "fixed", "base": 0.5},
    "budget": {"epochs": 2},
}


class Lab:
    """A running `batchlab up`."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process, self.url = process, url

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, name: str) -> psutil.Process:
        return next(each for each in self.family() if each.name() == name)


@contextmanager
def up(home: Path, *options: str) -> Iterator[Lab]:
    """Start a lab, and end it by SIGINT, as Ctrl-C does, where the test has not."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BATCHLAB_")}
    command = [*BATCHLAB, "up", "--port", "0", "--workers", "1", "--data-dir", str(home), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None and process.stderr is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        if found is None:
            raise AssertionError(process.stderr.read())
        try:
            yield Lab(process, found[0])
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


def run(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "BATCHLAB_HOME": str(home)}
    return subprocess.run([*BATCHLAB, *words], capture_output=True, text=True, check=False, env=environ, timeout=120)


def all_gone(processes: list[psutil.Process]) -> bool:
    return psutil.wait_procs(processes, timeout=30)[1] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_signal_ends_every_process_and_is_no_failure(number: signal.Signals, tmp_path: Path) -> None:
    with up(tmp_path / "lab") as lab:
        family = lab.family()
        assert {"postgres", "redis-server"} <= {each.name() for each in family}
        lab.process.send_signal(number)
        assert lab.process.wait(timeout=60) == 0
        assert all_gone(family)


def test_a_lab_that_is_killed_leaves_no_process_and_keeps_its_data(tmp_path: Path) -> None:
    with up(tmp_path / "lab") as lab:
        with Client(lab.url) as client:
            made = client.submit(SPEC)
            assert client.wait(made.id, timeout=60).status == "succeeded"
            digest = client.digest(made.id)
        family = lab.family()
        lab.process.kill()
        assert all_gone(family)
    with up(tmp_path / "lab") as lab, Client(lab.url) as client:
        assert client.digest(made.id) == digest


def test_servers_that_die_come_back_and_the_work_is_done(tmp_path: Path) -> None:
    with up(tmp_path / "lab") as lab, Client(lab.url, patience=60) as client:
        for name in ("postgres", "redis-server"):
            lab.child(name).kill()
        made = client.submit(SPEC)
        assert client.wait(made.id, timeout=120).status == "succeeded"


def test_a_second_lab_on_the_same_data_and_one_on_a_taken_port_are_told_so(tmp_path: Path) -> None:
    with up(tmp_path / "lab") as lab:
        second = run(tmp_path / "lab", "up", "--port", "0")
        assert (second.returncode, second.stdout) == (1, "")
        assert "a lab runs on" in second.stderr
        taken = run(tmp_path / "other", "up", "--port", lab.url.rsplit(":", 1)[1])
        assert (taken.returncode, taken.stdout) == (1, "")
        assert "choose another by --port" in taken.stderr


def test_other_machines_may_come_in_with_a_token_alone(tmp_path: Path) -> None:
    refused = run(tmp_path / "lab", "up", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 1
    assert "without a token" in refused.stderr
    assert not (tmp_path / "lab").exists()


def test_commands_speak_to_a_running_lab_and_their_status_can_be_trusted(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(f"{SPEC}".replace("'", '"'))
    with up(tmp_path / "lab") as lab:
        where = ("--url", lab.url)
        done = run(tmp_path, "submit", str(spec), "--wait", *where)
        assert (done.returncode, done.stderr) == (0, "")
        id = done.stdout.split()[0]
        assert "best_val_loss" in run(tmp_path, "results", id, *where).stdout
        assert run(tmp_path, "plot", id, "loss-curves", "-o", str(tmp_path / "x.svg"), *where).returncode == 0
        assert (tmp_path / "x.svg").read_text().startswith("<svg")
        wrong = run(tmp_path, "submit", str(spec), "--set", "lr.base=-1", *where)
        assert wrong.returncode == 3
        assert "lr.base" in wrong.stderr
        saved = run(tmp_path / "lab", "backup", str(tmp_path / "lab.dump"))
        assert saved.returncode == 0
        restored = run(tmp_path / "lab", "restore", str(tmp_path / "lab.dump"), "--yes")
        assert "restored 1 experiments with 1 cells" in restored.stdout
    assert run(tmp_path, "watch", id, *where).returncode == 4


def test_nothing_outside_the_data_directory_changes(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    before = {path: (path.stat().st_mode, path.stat().st_uid) for path in (tmp_path, *tmp_path.parents)}
    with up(tmp_path / "lab"):
        pass
    assert {path: (path.stat().st_mode, path.stat().st_uid) for path in before} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lab", "work"]
