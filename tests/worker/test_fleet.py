"""Which worker processes a machine runs."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from batchlab_worker import device, fleet


def machine(monkeypatch: pytest.MonkeyPatch, *, cores: int, gpus: tuple[str, ...] = ()) -> None:
    monkeypatch.setattr(device, "usable_cores", lambda: cores)
    monkeypatch.delenv("BATCHLAB_THREADS", raising=False)
    monkeypatch.setattr(device, "visible_gpus", lambda: gpus)


def test_without_a_gpu_there_is_a_process_for_each_core_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, cores=4)
    programs = fleet.programs()
    assert [p.name for p in programs] == ["worker-0", "worker-1", "worker-2", "worker-3"]
    assert {p.environ["BATCHLAB_THREADS"] for p in programs} == {"1"}
    assert all("CUDA_VISIBLE_DEVICES" not in p.environ for p in programs)


def test_a_machine_with_little_memory_has_fewer_processes_with_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, cores=16)
    for held, shares in ((4 << 30, (4, 4)), (1 << 29, (1, 16)), (1 << 40, (16, 1))):
        monkeypatch.setattr(fleet.psutil, "virtual_memory", lambda held=held: SimpleNamespace(total=held))
        assert fleet.shares() == shares
        assert fleet.shares(3) == (3, 5) and fleet.shares(gpus=2) == (2, 8)


def test_each_gpu_has_a_process_of_its_own_which_sees_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, cores=16, gpus=("0", "3"))
    programs = fleet.programs()
    assert [p.environ["CUDA_VISIBLE_DEVICES"] for p in programs] == ["0", "3"]
    assert [p.environ["BATCHLAB_THREADS"] for p in programs] == ["8", "8"]


def test_workers_of_the_cpu_queue_leave_the_gpus_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, cores=2, gpus=("0",))
    programs = fleet.programs(queues=("cpu",))
    assert len(programs) == 2
    assert all("CUDA_VISIBLE_DEVICES" not in p.environ for p in programs)


def test_a_number_asked_for_is_kept_and_shares_the_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine(monkeypatch, cores=8)
    programs = fleet.programs(3, output=tmp_path)
    assert [p.environ["BATCHLAB_THREADS"] for p in programs] == ["2", "2", "2"]
    assert programs[1].output == tmp_path / "worker-1.log"


def test_the_setting_for_threads_holds_for_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, cores=8)
    monkeypatch.setenv("BATCHLAB_THREADS", "2")
    assert fleet.shares(1) == (1, 2)
    assert {p.environ["BATCHLAB_THREADS"] for p in fleet.programs(3)} == {"2"}


@pytest.mark.skipif(any(Path("/dev").glob("nvidia[0-9]*")), reason="this machine has a GPU")
def test_a_machine_without_a_card_has_no_gpus() -> None:
    assert device.visible_gpus() == ()
    assert 1 <= device.usable_cores() <= (os.cpu_count() or 1)
