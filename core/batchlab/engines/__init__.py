"""Engines: how cells are trained. Importing this loads no torch; an engine does when it is asked for."""

from collections.abc import Sequence
from importlib.metadata import version
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchlab.cell import Cell
    from batchlab.cost import Rates
    from batchlab.engines.base import Engine

NAMES = ("auto", "reference", "compiled", "stacked")
"""What a spec may ask for."""
IN_TURN = frozenset({"compiled"})
"""Engines that train the cells of a cohort one after the other, so that none shares its steps with others."""
SECONDS_OF_A_COHORT = 1.0
"""Of such an engine."""


def plan(cells: "Sequence[Cell]", device: str, rates: "Rates | None" = None) -> tuple[str, int]:
    """The engine that trains the first of these cells on `device`, and how many of them, from the first, as one cohort.

    The cells have equal `stack_key`. The engine is the one that the spec names. Else it is, on a CPU, `compiled` where
    it can, on any device `stacked` where that is faster than one cell after the other by the device's `rates`
    (`stacked.support.pays`), and `reference` for all else. ValueError where the one that is named cannot.

    The reference takes one cell. The compiled engine takes cells until they are about a second of work, so that several
    workers share an experiment and none spends its time on claims. A stack is bounded by memory. Where no rates are
    given, they are those of a typical processor, and none are known of a GPU.
    """
    from batchlab import cost
    from batchlab.engines.compiled import support as loops
    from batchlab.engines.stacked import support as stacks

    cell = cells[0]
    compiled = device == "cpu" and loops.obstacle(cell) is None
    stack = stacks.obstacle(cell) is None
    if cell.engine not in NAMES:
        raise KeyError(cell.engine)
    if {"compiled": not compiled, "stacked": not stack}.get(cell.engine):
        raise ValueError(f"{cell.engine} does not train this cell on {device}: use auto or reference")
    if rates is None and device == "cpu":
        rates = cost.TYPICAL
    if cell.engine == "compiled" or (cell.engine == "auto" and compiled):
        reached = accumulate(cost.seconds(cell, "compiled", rates=rates or cost.TYPICAL) for cell in cells)
        enough = (i for i, total in enumerate(reached, start=1) if total >= SECONDS_OF_A_COHORT)
        return "compiled", next(enough, len(cells))
    if cell.engine in ("auto", "stacked") and stack:
        size = stacks.cohort_size(cells, device, rates)
        if cell.engine == "stacked" or stacks.pays(cells[:size], rates):
            return "stacked", size
    return "reference" if cell.engine == "auto" else cell.engine, 1


def choose(cell: "Cell", device: str) -> "Engine":
    """The engine that trains `cell` alone on `device`, as `plan` says."""
    return by_name(plan([cell], device)[0])


def stack_key(cell: "Cell") -> str:
    """What cells of an experiment have in common that may be one cohort. Loads no torch.

    Cells that the compiled engine takes on a CPU have its key, also for a GPU, where `plan` takes the first of them
    that are alike.
    """
    from batchlab.engines.compiled import support as loops
    from batchlab.engines.stacked import support as stacks

    return loops.stack_key(cell) or stacks.key(cell) or f"cell-{cell.ordinal}"


def obstacle(cell: "Cell") -> str | None:
    """Why the engine that the cell asks for does not train such cells on any device; None where it does."""
    from batchlab.engines.compiled import support as loops
    from batchlab.engines.stacked import support as stacks

    finders = {"compiled": loops.obstacle, "stacked": stacks.obstacle}
    return finders[cell.engine](cell) if cell.engine in finders else None


def by_name(name: str) -> "Engine":
    """The engine called `name`; KeyError where there is none. Loads no other engine than this."""
    if name == "compiled":
        from batchlab.engines.compiled.engine import Compiled

        return Compiled()
    if name == "stacked":
        from batchlab.engines.stacked.engine import Stacked

        return Stacked()
    from batchlab.engines.reference import Reference

    return {"reference": Reference}[name]()


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
