"""The worker processes of one machine: one for each GPU, or one for each core."""

import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from batchlab_worker import device
from batchlab_worker.supervisor import Program

PROCESS_BYTES = 2**30
"""Of memory, that a worker on a CPU should have: 0.3 GB are torch, the rest is for data and a stack."""


def programs(
    processes: int | None = None, *, queues: Sequence[str] = ("cpu", "gpu"), output: Path | None = None
) -> list[Program]:
    """What a supervisor runs to put this machine to work: a program for each worker process.

    `processes`: how many (default: one a GPU where there is one and `gpu` is served, else one a core). `output`: the
    folder of their logs (default: this process's standard error).
    """
    gpus = device.visible_gpus() if "gpu" in queues else ()
    count, threads = shares(processes, len(gpus))
    return [_program(n, queues, threads, gpus[n % len(gpus)] if gpus else None, output) for n in range(count)]


def shares(processes: int | None = None, gpus: int = 0) -> tuple[int, int]:
    """How many worker processes, and threads of each. Several processes of one thread train a sweep faster than one
    with several threads (`Rates.threads` says by how much less than their number those gain), as far as the memory
    goes. BATCHLAB_THREADS says otherwise of the threads."""
    cores = device.usable_cores()
    count = processes or gpus or max(1, min(cores, int(psutil.virtual_memory().total // PROCESS_BYTES)))
    return count, device.threads(max(1, cores // count))


def _program(number: int, queues: Sequence[str], threads: int, gpu: str | None, output: Path | None) -> Program:
    name = f"worker-{number}"
    argv = [sys.executable, "-m", "batchlab_worker", "--queues", ",".join(queues), "--name", name]
    environ = {"BATCHLAB_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    if gpu is not None:
        environ["CUDA_VISIBLE_DEVICES"] = gpu
    return Program(name, argv, environ, output and output / f"{name}.log")
