"""Engines: how cells are trained. Importing this loads no torch; an engine does when it is asked for."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchlab.cell import Cell
    from batchlab.engines.base import Engine

NAMES = ("auto", "reference", "compiled")
"""What a spec may ask for."""
IN_TURN = frozenset({"compiled"})
"""Engines that train the cells of a cohort one after the other, so that none shares its steps with others."""


def choose(cell: "Cell", device: str) -> "Engine":
    """The engine that trains `cell` on `device`: the one that the spec names, else `compiled` where it can.

    ValueError where the one that is named cannot.
    """
    fastest = _fastest(cell, device)
    if cell.engine == "compiled" != fastest:
        raise ValueError(f"compiled does not train this cell on {device}: use auto or reference")
    return by_name(fastest if cell.engine == "auto" else cell.engine)


def _fastest(cell: "Cell", device: str) -> str:
    from batchlab.engines.compiled import support

    return "compiled" if device == "cpu" and support.obstacle(cell) is None else "reference"


def by_name(name: str) -> "Engine":
    """The engine called `name`; KeyError where there is none. Loads no other engine than this."""
    if name == "compiled":
        from batchlab.engines.compiled.engine import Compiled

        return Compiled()
    from batchlab.engines.reference import Reference

    return {"reference": Reference}[name]()


def cohort_size(cells: "Sequence[Cell]", device: str) -> int:
    """How many of these cells, whose `stack_key` is equal, are trained as one cohort on `device`.

    The reference takes one. The compiled engine takes cells until they are about a second of work, so that several
    workers share an experiment and none spends its time on claims.
    """
    from batchlab.engines.compiled import support

    if choose(cells[0], device).name != "compiled":
        return 1
    return support.cohort_size(cells)


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
        **({"numba": version("numba")} if engine == "compiled" else {}),
        "threads": torch.get_num_threads(),
    }
