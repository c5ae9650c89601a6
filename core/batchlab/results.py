"""Results over seeds: the contract's `groups`, from rows of cells."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from batchlab.statistics import summary

AVERAGED = (
    *("train_loss", "train_accuracy", "val_loss", "val_accuracy", "best_val_loss", "best_val_accuracy"),
    *("mean_grad_norm", "seconds_per_update", "seconds_per_epoch", "updates"),
)
"""Metrics that every group has, with or without a number."""
NOT_AVERAGED = frozenset({"diverged_at", "timing", "optimizer_variant"})
"""Keys of a cell's result that no mean is taken of."""
Row = Mapping[str, Any]
"""A cell: variant, batch_size, lr, momentum, params, seed, status, result."""


def group_cells(cells: Sequence[Row]) -> list[dict[str, Any]]:
    """Cells that differ in their seed alone, together, in order of appearance.

    Each group has `by` (the point), `n` (succeeded cells), `n_diverged`, `n_failed`, and for each metric that any cell
    of any group may have `{mean, sd, ci95}` over its succeeded cells: None where none has a number, sd and ci95 None
    where only one has. Where a target is set, `n_reached` says how many reached it: the means of what it took are
    over those alone.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for cell in cells:
        groups.setdefault(tuple(point_of(cell).items()), []).append(cell)
    known = (name for cell in cells for name in cell["result"] or () if name not in NOT_AVERAGED)
    names = tuple(dict.fromkeys((*AVERAGED, *known)))
    return [_group(dict(point), members, names) for point, members in groups.items()]


def point_of(cell: Row) -> dict[str, Any]:
    """What a cell shares with those that differ from it in the seed alone."""
    own = {name: cell[name] for name in ("variant", "batch_size", "lr", "momentum")}
    return own | {name: cell["params"][name] for name in sorted(cell["params"])}


def _group(point: dict[str, Any], cells: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    results = [cell["result"] or {} for cell in cells if cell["status"] == "succeeded"]
    counts = {f"n_{status}": sum(cell["status"] == status for cell in cells) for status in ("diverged", "failed")}
    if "target_step" in names:
        counts["n_reached"] = sum(result.get("target_step") is not None for result in results)
    return {"by": point, "n": len(results), **counts} | {name: _metric(results, name) for name in names}


def _metric(results: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    values = [float(result[name]) for result in results if _is_number(result.get(name))]
    if not values:
        return {"mean": None, "sd": None, "ci95": None}
    found = summary(values)
    return {"mean": found.mean, "sd": found.sd, "ci95": None if found.ci95 is None else list(found.ci95)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
