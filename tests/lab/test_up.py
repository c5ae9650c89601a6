"""`batchlab up` as a user starts it: what it prints, what it keeps, and that nothing is left of it."""

import json
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
from batchlab_lab import exits

from .conftest import needs_ipv6

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
def up(home: Path, *options: str, **more: str) -> Iterator[Lab]:
    """Start a lab, with `more` in its environment.

    Where the test has not ended it, Ctrl-C does, and must leave no process and no failure.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BATCHLAB_")}
    environ |= {"BATCHLAB_BALLAST_BYTES": "0", **more}
    command = [*BATCHLAB, "up", "--port", "0", "--workers", "1", "--data-dir", str(home), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None and process.stderr is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        if found is None:
            raise AssertionError(process.stderr.read())
        lab = Lab(process, found[0])
        family = lab.family()
        try:
            yield lab
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                assert process.wait(timeout=60) == 0
            assert all_gone(family)


def run(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "BATCHLAB_HOME": str(home)}
    return subprocess.run([*BATCHLAB, *words], capture_output=True, text=True, check=False, env=environ, timeout=120)


def all_gone(processes: list[psutil.Process]) -> bool:
    return psutil.wait_procs(processes, timeout=30)[1] == []


def test_a_killed_lab_leaves_no_process_and_its_servers_come_back_with_the_data(tmp_path: Path) -> None:
    with up(tmp_path / "lab") as lab, Client(lab.url) as client:
        assert {"postgres", "redis-server"} <= {each.name() for each in lab.family()}
        made = client.submit(SPEC)
        assert client.wait(made.id, timeout=60).status == "succeeded"
        digest = client.digest(made.id)
        lab.process.kill()
        lab.process.wait()
    with up(tmp_path / "lab") as lab, Client(lab.url, patience=60) as client:
        for name in ("postgres", "redis-server"):
            lab.child(name).kill()
        assert client.digest(made.id) == digest
        again = client.submit(SPEC)
        assert client.wait(again.id, timeout=120).status == "succeeded"
        lab.process.send_signal(signal.SIGTERM)
        assert lab.process.wait(timeout=60) == 0


def test_other_machines_may_come_in_with_a_token_alone(tmp_path: Path) -> None:
    refused = run(tmp_path / "lab", "up", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 1
    assert "without a token" in refused.stderr
    assert not (tmp_path / "lab").exists()


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("0.0.0.0", "127.0.0.1"),
        pytest.param("::1", "[::1]", marks=needs_ipv6),
        pytest.param("::", "[::1]", marks=needs_ipv6),
    ],
)
def test_whatever_it_listens_on_its_url_answers_on_this_machine(host: str, reached: str, tmp_path: Path) -> None:
    with up(tmp_path / "lab", "--host", host, BATCHLAB_TOKEN="secret") as lab, Client(lab.url, "secret") as client:
        assert lab.url.startswith(f"http://{reached}:")
        assert client.health().parts["database"].ok


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up") / "lab"


@pytest.fixture(scope="module")
def lab(home: Path) -> Iterator[Lab]:
    before = {path: (path.stat().st_mode, path.stat().st_uid) for path in home.parents}
    with up(home) as lab:
        yield lab
    assert {path: (path.stat().st_mode, path.stat().st_uid) for path in home.parents} == before
    assert [path.name for path in home.parent.iterdir()] == ["lab"]


def test_a_second_one_on_the_same_data_is_told_so(lab: Lab, home: Path) -> None:
    second = run(home, "up", "--port", "0")
    assert (second.returncode, second.stdout) == (1, "")
    assert "a lab runs on" in second.stderr


def test_a_second_one_on_its_port_is_told_so(lab: Lab, tmp_path: Path) -> None:
    taken = run(tmp_path / "other", "up", "--port", lab.url.rsplit(":", 1)[1])
    assert (taken.returncode, taken.stdout) == (1, "")
    assert "choose another by --port" in taken.stderr


def test_commands_speak_to_it_and_their_status_can_be_trusted(lab: Lab, home: Path, tmp_path: Path) -> None:
    where = ("--url", lab.url)
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    done = run(home, "submit", str(tmp_path / "spec.json"), "--wait", *where)
    assert (done.returncode, done.stderr) == (0, "")
    id = done.stdout.split()[0]
    assert "best_val_loss" in run(home, "results", id, *where).stdout
    bogus = run(home, "results", id, "--metric", "val_loss", "--metric", "bogus", *where)
    assert (bogus.returncode, bogus.stdout) == (exits.REFUSED, "")
    assert "no 'bogus'" in bogus.stderr and "best_val_loss" in bogus.stderr
    run(home, "plot", id, "loss-curves", "-o", str(tmp_path / "plot.svg"), *where)
    assert "<svg" in (tmp_path / "plot.svg").read_text()
    wrong = run(home, "submit", str(tmp_path / "spec.json"), "--set", "lr.base=-1", *where)
    assert wrong.returncode == exits.REFUSED
    assert "lr.base" in wrong.stderr


def test_it_can_be_backed_up_and_restored_while_it_runs(lab: Lab, home: Path, tmp_path: Path) -> None:
    with Client(lab.url) as client:
        made = client.submit(SPEC)
        client.wait(made.id, timeout=60)
        digest = client.digest(made.id)
        assert run(home, "backup", str(tmp_path / "lab.dump")).returncode == 0
        client.delete(made.id)
        assert "restored" in run(home, "restore", str(tmp_path / "lab.dump"), "--yes").stdout
        assert client.digest(made.id) == digest
