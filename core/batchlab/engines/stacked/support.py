"""Which cells can be trained as a stack, and which of them together. Loads no torch."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import takewhile
from math import prod
from typing import TYPE_CHECKING, Any

from batchlab.cell import Cell
from batchlab.engines.compiled.support import changed
from batchlab.keeping import Last
from batchlab.models import Cnn, LeNet, Linear, Mlp, ResNet, Softmax
from batchlab.optimizers import Adam, AdamW, Sgd
from batchlab.probes import (
    Direction,
    Distance,
    GradNorm,
    MomentumParts,
    ParamNorm,
    Position,
    Roughness,
    UpdateNorm,
    how_many,
)

if TYPE_CHECKING:
    from batchlab.cost import Rates

ITS_OWN = frozenset(
    {
        *("ordinal", "variant", "batch_entry", "lr", "momentum", "seed", "params", "schedule", "momentum_schedule"),
        *("split_seed", "shuffle", "init"),
    }
)
"""Fields in which the cells of a stack may differ, beside the numbers of their optimizer."""
COMMON = frozenset(
    {
        *("batch_size", "dataset", "model", "optimizer", "probes", "steps", "evaluate_every", "loss", "reduction"),
        *("label_smoothing", "precision", "device", "engine", "target", "checkpoints"),
    }
)
"""Fields that the engine knows and that are equal within a stack; any other must have the default that leaves training
as it is."""
KNOWN: dict[type[Any], frozenset[str]] = {
    Softmax: frozenset({"kind"}),
    Linear: frozenset({"kind", "bias"}),
    Mlp: frozenset({"kind", "widths", "activation", "norm"}),
    Cnn: frozenset({"kind", "channels", "width", "norm"}),
    LeNet: frozenset({"kind", "activation", "norm"}),
    ResNet: frozenset({"kind", "depth", "width", "shortcuts", "norm", "zero_gamma"}),
    Sgd: frozenset({"kind", "nesterov", "weight_decay", "decay_on"}),
    Adam: frozenset({"kind", "beta1", "beta2", "eps", "weight_decay", "decay_on"}),
    AdamW: frozenset({"kind", "beta1", "beta2", "eps", "weight_decay", "decay_on"}),
}
"""Parameters that the engine knows; kinds of model and optimizer that are not here are not stacked."""
NORMS = ("none", "group", "layer")
"""Normalisations that hold no statistics."""
PROBES = (GradNorm, UpdateNorm, ParamNorm, Distance, Position, MomentumParts, Direction, Roughness)
MOST = {"cpu": 64, "cuda": 256}
"""Cells of a stack, by the kind of device."""
COPIES = 10
"""Weights, gradient, memory of the optimizer, and what is made of them in an update."""
GAIN = 1.25
"""How many times as fast as one cell after the other a stack must be by the rates, which are no better than that."""


def obstacle(cell: Cell) -> str | None:
    """Why this cell cannot be one of a stack; None where it can."""
    checks = (
        (type(cell.model) not in KNOWN, f"the model {cell.model.kind}"),
        (type(cell.optimizer) not in KNOWN, f"the optimizer {cell.optimizer.kind}"),
        (getattr(cell.model, "norm", None) is not None and cell.model.norm.kind not in NORMS, "batch normalisation"),
        (cell.precision == "bfloat16", "the precision bfloat16"),
        (cell.loss == "output", "the loss output"),
        (cell.isolated, "cells whose seconds are to be their own (isolated)"),
        (not {type(probe) for probe in cell.probes} <= set(PROBES), "one of its probes"),
        (not all(isinstance(keep, Last) for keep in cell.checkpoints), "weights kept before the end"),
    )
    found = next((what for wrong, what in checks if wrong), None)
    return found or changed(cell, ITS_OWN | COMMON) or changed(cell.model, KNOWN[type(cell.model)]) or (
        changed(cell.optimizer, KNOWN[type(cell.optimizer)])
    )  # fmt: skip


def key(cell: Cell) -> str | None:
    """What the cells of a stack have in common; None for a cell that cannot be one of them."""
    if cell.engine not in ("auto", "stacked") or obstacle(cell):
        return None
    same = cell.model_dump_json(include=set(COMMON - {"optimizer"}))
    form = cell.optimizer.model_dump_json(exclude=set(cell.optimizer.numbers()))
    return f"stacked-{sha256(f'{same} {form}'.encode()).hexdigest()[:16]}"


def cohort_size(cells: Sequence[Cell], device: str, rates: "Rates | None" = None) -> int:
    """How many of these cells, from the first, make a stack on `device`: alike, and few enough for the memory, which
    the weights with all that goes with them, the rows of every split, and the rows of a batch share."""
    from batchlab.cost import TYPICAL

    first = cells[0]
    own = key(first)
    alike = list(takewhile(lambda cell: key(cell) == own, cells[: MOST[device.partition(":")[0]]]))
    weights = how_many(first.model.parameters(first.info.shape, first.info.outputs))
    row = prod(first.info.shape) + first.info.outputs
    each = 4 * (COPIES * weights + first.batch_size * row * _widening(first))
    tables = 4 * row * first.info.rows if first.dataset.held_out else 0
    room, splits, n = (rates or TYPICAL).bytes, set[int](), 0
    for cell in alike:
        room -= each + (0 if cell.seed_of_split in splits else tables)
        splits.add(cell.seed_of_split)
        if room < 0 and n:
            break
        n += 1
    return n


def _widening(cell: Cell) -> int:
    """What a row's layers hold, in rows: a bound for convolutions, which keep each picture in every channel."""
    model = cell.model
    if isinstance(model, ResNet):
        return 4 * model.width * model.depth
    if isinstance(model, Cnn | LeNet):
        return 4 * max(getattr(model, "channels", (6,)))
    return 2 + 4 * sum(getattr(model, "widths", ())) // max(1, prod(cell.info.shape))


def pays(cells: Sequence[Cell], rates: "Rates | None") -> bool:
    """Whether these cells as one stack are faster than one after the other, evaluations included, by the rates of the
    device; not where none are known."""
    from batchlab import cost

    if rates is None:
        return False
    alone, stack = (cost.of_an_update(cells[0], *how, rates) for how in (("reference", 1), ("stacked", len(cells))))
    return GAIN * stack < alone
