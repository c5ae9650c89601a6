"""The small parts of a worker: causes, redaction, memory, threads, crash points, the device."""

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import structlog
from batchlab.errors import CellTimeout, DataError
from batchlab_db import logs
from batchlab_db.periodic import Every
from batchlab_worker import causes, crash, device, memory, oom
from batchlab_worker.control import Control


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (MemoryError(), "out_of_memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "out_of_memory"),
        (RuntimeError("CUDA error: out of memory"), "out_of_memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (CellTimeout("over"), "timeout"),
        (DataError("train-images is damaged: delete it"), "bad_data"),
        (ZeroDivisionError("division by zero"), "code_error"),
        (OSError(errno.EACCES, "no"), "code_error"),
    ],
)
def test_each_error_has_the_contracts_cause(error: BaseException, cause: str) -> None:
    assert causes.cause_of(error) == cause


def test_torchs_own_memory_error_is_out_of_memory() -> None:
    import torch

    assert causes.cause_of(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")) == "out_of_memory"


def test_an_error_of_the_gpu_itself_is_told_from_one_of_the_code() -> None:
    import torch

    assert causes.is_device_error(torch.AcceleratorError("CUDA error: an illegal memory access was encountered"))
    assert causes.is_device_error(RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"))
    assert not causes.is_device_error(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not causes.is_device_error(torch.OutOfMemoryError("CUDA out of memory"))


def test_a_device_works_while_it_computes() -> None:
    assert device.works("cpu")
    assert not device.works("meta")  # torch's device without values: it raises what a broken one does


def test_a_message_is_one_short_line() -> None:
    assert causes.message_of(ValueError("first\nsecond")) == "ValueError: first"
    assert causes.message_of(DataError("mnist is not here: run `batchlab data fetch mnist`")).startswith("mnist is")
    assert len(causes.message_of(ValueError("x" * 10_000))) == causes.MESSAGE_LENGTH


@pytest.mark.parametrize(
    "text",
    [
        "Connected to redis://batchlab:hunter2@redis:6379/0",
        "redis+socket:///tmp/r.sock?virtual_host=0&password=hunter2",
        "postgresql+psycopg://batchlab:hunter2@db/batchlab",
        "redis://:hunter2@redis",
        "authorization: Bearer hunter2",
    ],
)
def test_logs_hold_no_password(text: str) -> None:
    assert "hunter2" not in logs.redact(text)


def test_a_log_line_is_json_without_secrets_also_from_libraries() -> None:
    code = (
        "import logging, structlog\n"
        "from batchlab_db import logs\n"
        "logs.configure()\n"
        "structlog.get_logger('x').info('slice', url='redis://u:hunter2@h/0', epoch=3)\n"
        "logging.getLogger('celery').info('Connected to %s', 'redis://u:hunter2@h/0')\n"
        "try: raise ValueError('postgresql://u:hunter2@h/d')\n"
        "except ValueError: structlog.get_logger('x').exception('broken')\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    lines = [json.loads(line) for line in said.splitlines()]
    assert [line["event"] for line in lines] == ["slice", "Connected to redis://***@h/0", "broken"]
    assert lines[0]["epoch"] == 3 and lines[0]["level"] == "info" and "ts" in lines[0]
    assert "hunter2" not in said


def test_a_thread_goes_on_after_an_error() -> None:
    calls, enough = [], threading.Event()

    def act() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("once")
        enough.set()

    with structlog.testing.capture_logs() as said:
        thread = Every("test", 0.001, act, jitter=0.5)
        thread.start()
        assert enough.wait(10)
        thread.stop(10)
    assert not thread.is_alive() and thread.last_success is not None
    assert [line["error"] for line in said] == ["ValueError: once"]


def test_threads_are_told_to_end_before_any_is_waited_for() -> None:
    told, going = threading.Event(), threading.Event()
    first = Every("first", 3600.0, lambda: (going.set(), told.wait(60.0)))
    second = Every("second", 3600.0, lambda: None)
    stop = second.stop

    def stop_second(timeout: float | None = None) -> None:
        stop(timeout)
        told.set()

    second.stop = stop_second  # type: ignore[method-assign]
    first.start()
    second.start()
    assert going.wait(60.0)
    Every.stop_all([first, second], 60.0)
    assert not first.is_alive() and not second.is_alive()


def test_a_thread_can_be_hurried_and_stopped_while_it_waits() -> None:
    calls: list[int] = []
    twice = threading.Event()
    thread = Every("test", 3600.0, lambda: (calls.append(1), len(calls) == 2 and twice.set()))
    thread.start()
    while not calls:
        os.sched_yield()
    thread.now()
    assert twice.wait(10)
    thread.stop(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(("took", "pause"), [(0.0, 0.1), (0.01, 0.1), (0.05, 0.2), (0.1, 0.4), (0.2, 0.3), (2.0, 0.1)])
def test_calls_that_take_long_come_less_often_up_to_a_limit(took: float, pause: float) -> None:
    thread = Every("test", 0.1, lambda: None, share=1 / 5, longest=0.5)
    assert thread.pause(took) == pytest.approx(pause)
    assert Every("test", 0.1, lambda: None).pause(took) == 0.1


def test_a_process_dies_at_the_named_pass_through_a_point_and_nowhere_else() -> None:
    code = "from batchlab_worker import crash\nfor n in range(3): crash.point('claim'); crash.point('after-block')"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "BATCHLAB_CRASH_AT": "after-block:2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 137
    crash.point("claim")


def test_a_worker_asked_for_gpu_work_alone_says_that_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "gpu_is_there", lambda: False)
    assert device.take(["cpu", "gpu"]) == ("cpu", ("cpu",))
    with pytest.raises(device.NoDevice, match="add cpu to its queues"):
        device.take(["gpu"])


def test_a_card_is_known_by_its_number_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "gpu_is_there", lambda: True)
    for visible, name in (("3", "cuda:3"), ("2,0", "cuda:2"), ("", "cuda:0"), ("GPU-5a1f", "cuda")):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert device.take(["gpu"]) == (name, ("gpu",))
        assert device.own(name) == "cuda:0"
    assert device.own("cpu") == "cpu"


def test_a_worker_takes_the_gpu_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "gpu_is_there", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert device.take(["cpu", "gpu"]) == ("cuda:0", ("cpu", "gpu"))
    assert device.take(["cpu"]) == ("cpu", ("cpu",))


@pytest.mark.parametrize(("text", "cores"), [("max 100000", 64), ("250000 100000", 2), ("50000 100000", 1)])
def test_the_containers_quota_bounds_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    quota = tmp_path / "cpu.max"
    quota.write_text(text)
    assert device.usable_cores(quota) == cores
    assert device.usable_cores(tmp_path / "missing") == 64


def test_kills_for_want_of_memory_are_read_from_the_control_group(tmp_path: Path) -> None:
    cgroup, own = tmp_path / "cgroup", tmp_path / "user.slice" / "lab.scope"
    own.mkdir(parents=True)
    cgroup.write_text("1:name=systemd:/other\n0::/user.slice/lab.scope\n")
    (own / "memory.events").write_text("low 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert oom.kills(cgroup, tmp_path) == 2
    assert oom.kills(cgroup, tmp_path / "elsewhere") == 0
    assert oom.kills(tmp_path / "missing") == 0


def test_memory_growth_is_measured_from_the_first_slice_on_the_same_data() -> None:
    service, gb = memory.Service(most_slices=100), 1 << 30
    for data, resident, over in [
        ("sectors", 1, False),
        ("sectors", 2, False),
        ("mnist", 5, False),
        ("mnist", 8, False),
        ("mnist", 9, True),
    ]:
        service.slice_ended(data, resident * gb)
        assert service.over is over
    assert memory.resident_bytes() > 0


def test_a_process_makes_way_after_so_many_slices() -> None:
    service = memory.Service(most_slices=2)
    service.slice_ended("sectors")
    assert not service.over
    service.slice_ended("sectors")
    assert service.over


def test_the_state_that_others_see_follows_from_what_the_process_does() -> None:
    control = Control()
    assert control.state == "idle"
    control.paused = True
    assert control.state == "paused: disk"
    control.cohort_id = 7
    assert control.state == "busy"
    control.leave(75)
    control.leave(0)
    assert (control.state, control.exit_status) == ("draining", 75)


def test_the_speed_is_a_moving_average_that_begins_with_what_the_rates_say() -> None:
    control = Control()
    control.note_speed("reference", 4.0, 2.0)
    assert control.speeds == {"reference": pytest.approx(0.7 * 1.0 + 0.3 * 2.0)}
    control.note_speed("reference", 4.0, 1.0)
    control.note_speed("reference", 0, 1.0)
    assert control.speeds == {"reference": pytest.approx(0.7 * 1.3 + 0.3 * 4.0)}


def test_a_short_slice_which_is_mostly_claiming_hardly_moves_the_speed() -> None:
    control = Control()
    control.note_speed("compiled", 0.001, 0.1)
    assert control.speeds == {"compiled": pytest.approx(0.97 * 1.0 + 0.03 * 0.01)}
