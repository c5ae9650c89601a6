"""Engines: how cells are trained. Importing this loads no torch; an engine does when it is asked for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchlab.cell import Cell
    from batchlab.engines.base import Engine

NAMES = ("auto", "reference")
"""What a spec may ask for."""


def choose(cell: "Cell", device: str) -> "Engine":
    """The engine that trains `cell` on `device`: the one that the spec names, else `reference`."""
    return by_name("reference" if cell.engine == "auto" else cell.engine)


def by_name(name: str) -> "Engine":
    """The engine called `name`; KeyError where there is none."""
    from batchlab.engines.reference import Reference

    return {"reference": Reference}[name]()


def cohort_size(cells: "Sequence[Cell]", device: str) -> int:
    """How many of these cells, whose `stack_key` is equal, may be trained together: the reference takes one."""
    return 1


def device_for(own: str, asked: str) -> str:
    """The torch device ("cpu", "cuda:0") for a cell that asks for `asked`, on a machine that prefers `own`."""
    import torch

    found = own if asked == "auto" else asked
    if found == "auto":
        found = "cuda" if torch.cuda.is_available() else "cpu"
    return "cuda:0" if found == "cuda" else found


def fingerprint(engine: str, device: str) -> dict[str, Any]:
    """What the bits of a run depend on beside its cell: engine, device, library versions, threads."""
    import numpy as np
    import torch

    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else torch.backends.cpu.get_cpu_capability()
    return {
        "engine": engine,
        "device": device,
        "device_name": name,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "numpy": np.__version__,
        "threads": torch.get_num_threads(),
    }
