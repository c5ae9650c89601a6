"""Which cells the compiled loops can train. Loads no torch and compiles nothing."""

from hashlib import sha256
from math import prod
from typing import Any

from batchlab.cell import Cell
from batchlab.keeping import Last
from batchlab.models import Linear, Mlp, Softmax
from batchlab.optimizers import Sgd
from batchlab.probes import GradNorm, ParamNorm, UpdateNorm

OWN = frozenset(
    {
        *("ordinal", "variant", "batch_entry", "batch_size", "lr", "momentum", "seed", "params", "dataset", "model"),
        *(
            "optimizer",
            "schedule",
            "momentum_schedule",
            "probes",
            "steps",
            "evaluate_every",
            "split_seed",
            "shuffle",
            "init",
            "loss",
        ),
        *("reduction", "precision", "device", "engine", "isolated", "limits", "target", "checkpoints"),
    }
)
"""Fields of a cell that the loops know; any other must have the default that leaves training as it is."""
KNOWN: dict[type[Any], frozenset[str]] = {
    Softmax: frozenset({"kind"}),
    Linear: frozenset({"kind", "bias"}),
    Mlp: frozenset({"kind", "widths", "activation"}),
    Sgd: frozenset({"kind", "nesterov", "weight_decay"}),
}
"""Parameters that the loops know, as `OWN`; the kinds of model and optimizer that are not here are not trained."""
ACTIVATIONS = ("relu", "tanh", "sigmoid")
LOSSES = ("cross_entropy", "half_squared_error")
SMALL = 4096
"""Weights up to which one layer is trained without BLAS."""
MOST_BYTES = 2**29
"""What the layers of one batch may hold."""


def obstacle(cell: Cell) -> str | None:
    """Why this cell is not for the compiled loops; None where it is."""
    checks = (
        (type(cell.model) not in KNOWN, f"the model {cell.model.kind}"),
        (type(cell.optimizer) not in KNOWN, f"the optimizer {cell.optimizer.kind}"),
        (cell.device not in ("auto", "cpu"), f"on the device {cell.device}"),
        (cell.precision != "float32", f"the precision {cell.precision}"),
        (cell.loss not in LOSSES, f"the loss {cell.loss}"),
        (getattr(cell.model, "activation", "relu") not in ACTIVATIONS, "its activation"),
        (not {type(probe) for probe in cell.probes} <= {GradNorm, UpdateNorm, ParamNorm}, "one of its probes"),
        (not all(isinstance(keep, Last) for keep in cell.checkpoints), "weights kept before the end"),
        (_bytes(cell) > MOST_BYTES, "so large a batch"),
        (not getattr(cell.model, "bias", True) and not small(cell), "a large layer without bias"),
    )
    found = next((what for wrong, what in checks if wrong), None)
    return found or changed(cell, OWN) or changed(cell.model, KNOWN[type(cell.model)]) or (
        changed(cell.optimizer, KNOWN[type(cell.optimizer)])
    )  # fmt: skip


def small(cell: Cell) -> bool:
    """Whether the model is one layer that is trained faster without BLAS."""
    return not isinstance(cell.model, Mlp) and prod(cell.info.shape) * cell.info.outputs <= SMALL


def changed(kind: Any, known: frozenset[str]) -> str | None:
    """A parameter that is not known and not at its default."""
    fields = type(kind).model_fields
    return next(
        (name for name in sorted(fields.keys() - known)
         if getattr(kind, name) != fields[name].get_default(call_default_factory=True)),
        None,
    )  # fmt: skip


def _bytes(cell: Cell) -> int:
    return 4 * cell.batch_size * (sum(getattr(cell.model, "widths", ())) + cell.info.outputs)


def stack_key(cell: Cell) -> str | None:
    """What cells of an experiment have in common that may be one cohort; None for a cell that must be alone.

    A cell with a time limit is alone, since a cohort fails as a whole where a limit is passed.
    """
    if cell.engine not in ("auto", "compiled") or cell.limits.seconds_per_cell is not None or obstacle(cell):
        return None
    same = f"{cell.dataset.model_dump_json()} {cell.model.model_dump_json()} {cell.device}"
    return f"compiled-{sha256(same.encode()).hexdigest()[:16]}"
