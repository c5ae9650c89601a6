"""The weights with which a cell begins that is pre-trained: where the plain loop ends on other data."""

from batchlab.cell import Cell
from batchlab.datasets import Arrays
from batchlab.engines.base import Engine, Weights
from batchlab.optimizers import Sgd
from batchlab.pretraining import Pretraining
from batchlab.schedules import Constant

_LATEST: dict[tuple[str, str], Weights] = {}
"""What the pre-training of the last cell gave, by all that it depends on: the cells of a sweep share it."""


def weights(engine: Engine, cell: Cell, plan: Pretraining, data: Arrays, device: str) -> Weights:
    """Parameters and buffers after the cell's pre-training by `engine`, with the arrays that came with its data.

    They depend on the pre-training, model, initial scheme, loss and precision; on no axis of the sweep.
    """
    if data.before is None:
        raise ValueError("the rows of the pre-training are not loaded: Cell.load loads both data sets")
    own = run_before(cell, plan)
    key = (own.model_dump_json(), device)
    if key not in _LATEST:
        found = _trained(engine, own, data.before, device)
        _LATEST.clear()
        _LATEST[key] = found
    return _LATEST[key]


def run_before(cell: Cell, plan: Pretraining) -> Cell:
    """The pre-training as a cell of its own. What the spec adds to plain training is for what follows."""
    return Cell(
        ordinal=0,
        batch_entry=plan.batch_size,
        batch_size=plan.batch_size,
        lr=plan.lr,
        momentum=plan.momentum,
        seed=plan.seed,
        dataset=plan.dataset,
        model=cell.model,
        optimizer=Sgd(),
        schedule=Constant(),
        probes=(),
        steps=plan.steps,
        evaluate_every=plan.steps,
        init=cell.init,
        loss=cell.loss,
        precision=cell.precision,
    )


def _trained(engine: Engine, cell: Cell, data: Arrays, device: str) -> Weights:
    for block, snapshot in engine.train([cell], data, device=device):
        if block.cells[0].ending is not None:
            arrays = snapshot().arrays
            return {name.removeprefix("net/"): arrays[name] for name in arrays if name.startswith("net/")}
    raise RuntimeError("the pre-training stopped before its end")
