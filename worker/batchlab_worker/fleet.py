"""The worker processes of one machine: one for each GPU, or one for each core."""

import sys
from collections.abc import Sequence
from pathlib import Path

from batchlab_worker import device
from batchlab_worker.supervisor import Program


def programs(
    processes: int | None = None, *, queues: Sequence[str] = ("cpu", "gpu"), output: Path | None = None
) -> list[Program]:
    """What a supervisor runs to put this machine to work: a program for each worker process.

    `processes`: how many (default: one a GPU where there is one and `gpu` is served, else one a core). `output`: the
    folder of their logs (default: this process's standard error).
    """
    gpus = device.visible_gpus() if "gpu" in queues else ()
    count = processes or len(gpus) or device.usable_cores()
    threads = max(1, device.usable_cores() // count)
    return [_program(n, queues, threads, gpus[n % len(gpus)] if gpus else None, output) for n in range(count)]


def _program(number: int, queues: Sequence[str], threads: int, gpu: str | None, output: Path | None) -> Program:
    name = f"worker-{number}"
    argv = [sys.executable, "-m", "batchlab_worker", "--queues", ",".join(queues), "--name", name]
    environ = {"BATCHLAB_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    if gpu is not None:
        environ["CUDA_VISIBLE_DEVICES"] = gpu
    return Program(name, argv, environ, output and output / f"{name}.log")
