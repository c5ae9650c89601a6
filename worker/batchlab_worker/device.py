"""What this process trains on: its device, its threads, and the graphics cards and cores of the machine."""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from batchlab import cores
from batchlab.errors import BatchlabError

usable_cores = cores.usable_cores


class NoDevice(BatchlabError):
    """This worker was asked to serve the queue gpu alone, and torch sees no GPU here: add cpu to its queues."""

    def __str__(self) -> str:
        return str(self.__doc__)


def take(queues: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The device to train on and the queues that can be served with it, of those asked for.

    A worker that may serve `gpu` takes the first GPU that it sees. Raises NoDevice where nothing is left to serve.
    """
    if "gpu" in queues and gpu_is_there():
        return first_card(), tuple(queues)
    rest = tuple(q for q in queues if q != "gpu")
    if not rest:
        raise NoDevice
    return "cpu", rest


def first_card() -> str:
    """The first GPU that this process sees, by its number on the machine; `cuda` where it is known by no number."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip() or "0"
    return f"cuda:{int(first)}" if first.isdecimal() else "cuda"


def own(device: str) -> str:
    """What torch calls `device` here: it counts only the cards that this process sees, of which the first is used."""
    return "cuda:0" if device.startswith("cuda") else device


def gpu_is_there() -> bool:
    """Whether torch can use a GPU in this process."""
    import torch

    return torch.cuda.is_available()


def threads(otherwise: int) -> int:
    """How many threads BATCHLAB_THREADS gives a worker; where it says nothing, `otherwise`."""
    return int(os.environ.get("BATCHLAB_THREADS", "0")) or otherwise


def set_threads(threads: int) -> None:
    """Let torch use so many threads. Results depend on their number bit for bit, so it is part of the fingerprint."""
    import torch

    torch.set_num_threads(threads)


def works(device: str) -> bool:
    """Whether the device still computes: after some errors a GPU fails every later call of the process."""
    import torch

    try:
        return bool(torch.ones(1, device=device).add(1).item() == 2)
    except RuntimeError:
        return False


def warm_up() -> None:
    """Load now, and not within a slice, what engines load first: torch's compiler (for seconds), and numba."""
    import_module("torch._dynamo")
    import_module("batchlab.engines.compiled.engine")


def visible_gpus() -> tuple[str, ...]:
    """The GPUs of this machine as `CUDA_VISIBLE_DEVICES` names them; torch is asked in a process of its own."""
    if not any(Path("/dev").glob("nvidia[0-9]*")) and not Path("/dev/dxg").exists():
        return ()
    ask = [sys.executable, "-c", "import torch; print(torch.cuda.device_count())"]
    answer = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=120)
    count = int(answer.stdout) if answer.returncode == 0 else 0
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return tuple(named[:count] if named else map(str, range(count)))
