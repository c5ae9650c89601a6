"""Experiments beside each other on a terminal."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from batchlab_client import models

from batchlab_lab import show
from batchlab_lab.commands.options import DEFAULT_URL, Json, Url, connect

Ids = Annotated[list[str], typer.Argument(help="Ids of the experiments; the first is what others are compared with.")]
NOT_SPEC = frozenset({"name", "tags", "note", "study"})


def compare(
    *,
    ids: Ids,
    metric: Annotated[str, typer.Option(help="The metric to show.")] = "val_accuracy",
    json: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Show where the specs of experiments differ, and one of their metrics point by point."""
    if len(ids) < 2:
        raise typer.BadParameter("name at least two experiments")
    with connect(url) as client:
        found = [client.get(id) for id in ids]
        results = [client.results(id).groups for id in ids]
    specs, points = differences([experiment.spec for experiment in found]), beside(results, metric)
    names = [f"{experiment.name} ({experiment.id})" for experiment in found]
    if json:
        show.as_json({"experiments": ids, "metric": metric, "specs": specs, "points": _plain(points)})
        return
    show.rows(["key", *names], [[path, *values] for path, values in specs.items()])
    show.rows(["point", *names], [[label, *values] for label, values in points.items()])
    show.say(f"{metric}: mean ± half of its 95 % interval over seeds")


def differences(specs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Dotted keys whose values are not the same in all of the specs; None where one lacks it."""
    flats = [dict(_leaves(spec, "")) for spec in specs]
    paths = dict.fromkeys(path for flat in flats for path in flat if path not in NOT_SPEC)
    found = {path: [flat.get(path) for flat in flats] for path in paths}
    return {path: values for path, values in found.items() if any(value != values[0] for value in values)}


def beside(results: Sequence[Sequence[models.Group]], metric: str) -> dict[str, list[show.Estimate | None]]:
    """The metric by point of the sweep, an entry for each experiment; None where it lacks the point or the number."""
    within = [show.differing([group.by for group in groups]) for groups in results if len(groups) > 1]
    axes = dict.fromkeys(axis for found in within for axis in found)
    rows: dict[str, list[show.Estimate | None]] = {}
    for i, groups in enumerate(results):
        for group in groups:
            label = ", ".join(f"{axis} {show.text(group.by.get(axis))}" for axis in axes) or "all cells"
            rows.setdefault(label, [None] * len(results))[i] = _estimate(group, metric)
    return rows


def _estimate(group: models.Group, metric: str) -> show.Estimate | None:
    value = group.metrics.get(metric)
    return None if value is None or value.mean is None else show.Estimate.model_validate(value.model_dump())


def _plain(points: Mapping[str, Sequence[show.Estimate | None]]) -> dict[str, list[Any]]:
    return {label: [value and value.model_dump(mode="json") for value in values] for label, values in points.items()}


def _leaves(value: Any, path: str) -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        return [(path, value)]
    return [leaf for key, inner in value.items() for leaf in _leaves(inner, f"{path}.{key}" if path else key)]
