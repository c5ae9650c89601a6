"""Series for answers: the asked range of the asked metrics, thinned, on the asked axis, by cell or over seeds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from batchlab.cell import Cell
from batchlab_client import models
from batchlab_db import cells, curves
from batchlab_db.curves import Curve, Wanted
from batchlab_db.forming import parse
from batchlab_db.reads import Row
from sqlalchemy import Connection

from batchlab_api import axis, clocks, seeds
from batchlab_api.axis import Axis, Clock

Grouping = Literal["cell", "seed"]


@dataclass(frozen=True)
class Asked:
    """What is asked for. `first` and `last` bound the axis `x`, both inclusive."""

    metrics: tuple[str, ...]
    cells: frozenset[int] | None = None
    batch_sizes: frozenset[int] | None = None
    x: Axis = "step"
    first: float | None = None
    last: float | None = None
    points: int = 1000
    group: Grouping = "cell"


@dataclass(frozen=True)
class Member:
    """A cell with what is needed to place its points."""

    row: Row
    cell: Cell
    clock: Clock | None

    def wanted(self, metric: str, asked: Asked) -> Wanted:
        """The stretch of one metric that is asked for."""
        first, last = axis.bounds(asked.x, self.cell, asked.first, asked.last, self.clock)
        return Wanted(self.row["id"], metric, first, last)


def members(connection: Connection, experiment: str, asked: Asked) -> list[Member]:
    """The asked cells by ordinal. Raises NotFound."""
    ids = None if asked.cells is None else [str(id) for id in asked.cells]
    sizes = None if asked.batch_sizes is None else sorted(asked.batch_sizes)
    rows = cells.chosen(connection, experiment, ids, sizes)
    cells_of = {row["id"]: parse(row["point"]) for row in rows}
    clock_of = clocks.for_axis(connection, asked.x, cells_of)
    return [Member(row, cells_of[row["id"]], clock_of.get(row["id"])) for row in rows]


def size(found: Sequence[Member], asked: Asked) -> int:
    """How many points the answer may have."""
    return len(asked.metrics) * sum(min(asked.points, member.cell.steps + 1) for member in found)


def read(connection: Connection, found: Sequence[Member], asked: Asked) -> list[models.CurveSeries]:
    """The series, by metric and then by cell; empty ones are left out."""
    rows = _by_seed if asked.group == "seed" else _by_cell
    return [
        models.CurveSeries.model_validate(row)
        for metric in asked.metrics
        for row in rows(connection, found, metric, asked)
    ]


def _by_cell(connection: Connection, found: Sequence[Member], metric: str, asked: Asked) -> Iterator[Mapping[str, Any]]:
    wanted = [member.wanted(metric, asked) for member in found]
    for member, curve in zip(found, curves.read_many(connection, wanted, asked.points), strict=True):
        if curve.n_raw:
            x = axis.along(asked.x, member.cell, curve.steps, member.clock)
            yield {
                **_described(member, metric),
                "cell": str(member.row["id"]),
                "seed": member.row["seed"],
                "x": x.tolist(),
                **{name: getattr(curve, name).tolist() for name in ("mean", "min", "max")},
                **_facts([curve]),
            }


def _by_seed(connection: Connection, found: Sequence[Member], metric: str, asked: Asked) -> Iterator[Mapping[str, Any]]:
    for group in _groups(found):
        wanted = [member.wanted(metric, asked) for member in group]
        alike = zip(group, curves.read_alike(connection, wanted, asked.points), strict=True)
        having = [(member, curve) for member, curve in alike if curve.n_raw]
        if having:
            read = [curve for _, curve in having]
            merged = seeds.merge(read)
            places = [axis.along(asked.x, member.cell, merged.steps, member.clock) for member, _ in having]
            ends = [int(curve.steps[-1]) for curve in read]
            yield {
                **_described(group[0], metric),
                "cell": None,
                "seed": None,
                "x": seeds.mean_axis(places, merged.steps, ends).tolist(),
                **{name: getattr(merged, name).tolist() for name in ("mean", "min", "max", "lo", "hi", "n")},
                **_facts(read),
                "diverged_at": min((d for m in group if (d := _diverged_at(m)) is not None), default=None),
            }


def _groups(found: Sequence[Member]) -> list[list[Member]]:
    """Members that differ in their seed alone, together, in order of appearance."""
    groups: dict[tuple[Any, ...], list[Member]] = {}
    for member in found:
        row = member.row
        point = (row["variant"], row["batch_size"], row["lr"], row["momentum"], *sorted(row["params"].items()))
        groups.setdefault(point, []).append(member)
    return list(groups.values())


def _described(member: Member, metric: str) -> dict[str, Any]:
    point = {name: member.row[name] for name in ("variant", "batch_size", "lr", "momentum", "params")}
    return {"metric": metric, **point, "diverged_at": _diverged_at(member)}


def _diverged_at(member: Member) -> int | None:
    found: int | None = (member.row["result"] or {}).get("diverged_at")
    return found


def _facts(read: Sequence[Curve]) -> dict[str, Any]:
    level = max(curve.level for curve in read)
    return {"n_raw": sum(curve.n_raw for curve in read), "level": level, "exact": level == 0}
