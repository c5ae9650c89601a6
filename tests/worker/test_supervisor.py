"""The supervisor with real processes: restarts, stopping, and what happens when it dies itself."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from batchlab_worker import oom
from batchlab_worker.supervisor import EX_CONFIG, EX_TEMPFAIL, SETTLED_SECONDS, Child, Program, Supervisor


def python(name: str, code: str, **keywords: object) -> Program:
    return Program(name, [sys.executable, "-c", code], **keywords)  # type: ignore[arg-type]


def until(what: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


SLEEP = "import time; time.sleep(600)"


def test_a_killed_child_is_started_again() -> None:
    with Supervisor([python("sleeper", SLEEP)], first_pause=0.05) as supervisor:
        first = supervisor.pids()["sleeper"]
        os.kill(first, signal.SIGKILL)
        until(lambda: supervisor.pids().get("sleeper", first) != first)
        assert supervisor.restarts() == {"sleeper": 1}


def test_stopping_leaves_no_process_behind() -> None:
    with Supervisor([python("one", SLEEP), python("two", SLEEP)]) as supervisor:
        pids = supervisor.pids().values()
        assert len(pids) == 2
    assert all(gone(pid) for pid in pids)
    assert supervisor.pids() == {}


def test_a_child_is_asked_before_it_is_killed(tmp_path: Path) -> None:
    said, ready = tmp_path / "said", tmp_path / "ready"
    polite = (
        "import signal, sys, time, pathlib\n"
        f"signal.signal(15, lambda *_: (pathlib.Path({str(said)!r}).write_text('bye'), sys.exit(0)))\n"
        f"pathlib.Path({str(ready)!r}).touch()\n" + SLEEP
    )
    with Supervisor([python("polite", polite)]):
        until(ready.exists)
    assert said.read_text() == "bye"


def test_a_child_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    stubborn = f"import signal, pathlib; signal.signal(15, signal.SIG_IGN); pathlib.Path({str(ready)!r}).touch()\n"
    with Supervisor([python("stubborn", stubborn + SLEEP)], grace=0.2) as supervisor:
        until(ready.exists)
        pid = supervisor.pids()["stubborn"]
    assert gone(pid)


@pytest.mark.parametrize("status", [1, EX_TEMPFAIL])
def test_a_child_that_keeps_failing_is_restarted_again_and_again(status: int) -> None:
    ends: list[int] = []
    failing = python("failing", f"raise SystemExit({status})")
    with Supervisor([failing], first_pause=0.01, longest_pause=0.1, on_exit=lambda _, s: ends.append(s)):
        until(lambda: len(ends) >= 3)
    assert set(ends) == {status}


def test_the_pause_doubles_up_to_its_bound_and_a_healthy_life_resets_it() -> None:
    child = Child(python("failing", ""), started_at=time.monotonic(), exit_status=1)
    pauses = []
    for _ in range(6):
        child.postpone(1.0, 10.0)
        pauses.append(child.pause)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    child.started_at -= SETTLED_SECONDS
    child.postpone(1.0, 10.0)
    assert child.pause == 0.0


def test_a_child_that_recycles_itself_comes_back_at_once() -> None:
    recycling = python("recycling", "import time; time.sleep(0.2)")
    with Supervisor([recycling], first_pause=0.05, longest_pause=600.0) as supervisor:
        until(lambda: supervisor.restarts()["recycling"] >= 5)


def test_a_misconfigured_child_stops_everything() -> None:
    supervisor = Supervisor([python("sleeper", SLEEP), python("wrong", f"raise SystemExit({EX_CONFIG})")])
    supervisor.start()
    pid = supervisor.pids()["sleeper"]
    assert supervisor.wait(20.0)
    assert supervisor.stop() == EX_CONFIG
    assert gone(pid)


def test_output_and_environment_reach_the_child(tmp_path: Path) -> None:
    out = tmp_path / "log"
    program = python("speaker", "import os; print(os.environ['WORD'])", environ={"WORD": "hello"}, output=out)
    with Supervisor([program], first_pause=60.0):
        until(lambda: out.exists() and "hello" in out.read_text())


def lives(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize(("kernel_kills", "why"), [(0, "lost"), (1, "out_of_memory")])
def test_a_successor_is_told_whose_place_it_takes_and_what_killed_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel_kills: int, why: str
) -> None:
    kills, file = 0, tmp_path / "lives"
    monkeypatch.setattr(oom, "kills", lambda: kills)
    tell = f"import os; open({str(file)!r}, 'a').write(os.environ['BATCHLAB_PREDECESSOR'] + chr(10))\n"
    with Supervisor([python("teller", tell + SLEEP)], first_pause=0.05) as supervisor:
        until(lambda: lives(file))
        first = supervisor.pids()["teller"]
        kills = kernel_kills
        os.kill(first, signal.SIGKILL)
        until(lambda: len(lives(file)) == 2)
    assert lives(file) == ["", f"{first}:{why}"]


PARENT = f"""
import sys, time
from batchlab_worker import oom
from batchlab_worker.supervisor import Program, Supervisor
supervisor = Supervisor([Program("sleeper", [sys.executable, "-c", {SLEEP!r}])])
supervisor.start()
print(supervisor.pids()["sleeper"], flush=True)
"""


def child_of(parent: "subprocess.Popen[str]") -> int:
    assert parent.stdout is not None
    for line in parent.stdout:
        if line.strip().isdigit():
            return int(line)
    raise AssertionError("the parent said nothing")


def test_a_parent_killed_with_9_takes_its_children_along() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT + SLEEP], stdout=subprocess.PIPE, text=True)
    with parent:
        child = child_of(parent)
        parent.kill()
    until(lambda: gone(child))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_foreground_supervisor_ends_all_cleanly(number: int) -> None:
    code = PARENT.replace("supervisor.start()\n", "").replace(
        'print(supervisor.pids()["sleeper"], flush=True)',
        "import threading\n"
        "def tell():\n"
        "    while not supervisor.pids(): time.sleep(0.02)\n"
        "    print(supervisor.pids()['sleeper'], flush=True)\n"
        "threading.Thread(target=tell).start()\n"
        "sys.exit(supervisor.run_until_signalled())",
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        child = child_of(parent)
        parent.send_signal(number)
        assert parent.wait(20) == 0
    assert gone(child)


def test_children_can_be_looked_at_from_another_thread() -> None:
    seen: list[dict[str, int]] = []
    with Supervisor([python("sleeper", SLEEP)]) as supervisor:
        thread = threading.Thread(target=lambda: seen.append(supervisor.pids()))
        thread.start()
        thread.join()
        assert seen == [supervisor.pids()]
