"""Parts of the studies of minima in the size that two cores can train, with the core alone: cells, analyses, verdicts.

    python -m benchmarks.minima keskar-mnist FOLDER      # likewise keskar-cifar, skip-connections
    python -m benchmarks.minima keskar-mnist FOLDER 0 5  # these cells alone: so processes share the work

Each cell is kept in FOLDER once it is trained and analysed, and is not computed again. The verdicts are those that a
lab gives: the claims of the study, judged by its rule; landscapes are drawn beside the cells. CIFAR-10's part is user
data of the name `cifar-part` (`batchlab data add --local cifar-part FILE`). One thread: OMP_NUM_THREADS=1.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from batchlab.analyses.base import Finding, Subject
from batchlab.cell import Cell
from batchlab.datasets import Arrays, store
from batchlab.datasets.user import filled
from batchlab.engines import choose
from batchlab.expand import expand
from batchlab.experiment import ExperimentSpec
from batchlab.run import row
from batchlab.spec import parse_spec
from batchlab.studies import STUDIES
from batchlab.verdicts import verdicts
from batchlab_api.plots import PLOTS, Options, render
from batchlab_db.settings import settings

SEARCH = {"kind": "keskar", "restarts": 1, "iterations": 10}
PART = {"kind": "user", "name": "cifar-part"}


def _sharpness(rows: int, widths: tuple[float, ...] = (1e-3, 5e-4)) -> list[dict[str, Any]]:
    return [{"kind": "sharpness", "rows": rows, "measures": [{**SEARCH, "eps": eps} for eps in widths]}]


PARTS: dict[str, tuple[str, dict[str, Any]]] = {
    "keskar-mnist": (
        "keskar",
        {
            "variants": [{"name": "F1", "dataset": {"kind": "mnist"}, "model": {"kind": "keskar", "network": "F1"}}],
            "budget": {"epochs": 4},
            "evaluate": {"every_epochs": 2},
            "analyses": _sharpness(10_000, (1e-3,)),
        },
    ),
    "keskar-cifar": (
        "keskar",
        {
            "variants": [
                {
                    "name": "convolutional, as C1",
                    "dataset": PART,
                    "model": {"kind": "cnn", "channels": [8, 16], "width": 64, "norm": {"kind": "batch"}},
                }
            ],
            "budget": {"epochs": 10},
            "evaluate": {"every_epochs": 2},
            "analyses": _sharpness(2000),
        },
    ),
    "skip-connections": (
        "skip-connections",
        {
            "dataset": PART,
            "schedule": {"kind": "cosine"},
            "budget": {"epochs": 8},
            "evaluate": {"every_epochs": 1},
            "seeds": 1,
            "variants": [
                {"name": "deep", "model": {"depth": 20}},
                {"name": "deep, without shortcuts", "model": {"depth": 20, "shortcuts": "none"}},
            ],
            "analyses": [
                {"kind": "landscape", "points": 21, "rows": 512},
                {"kind": "eigenvalues", "rows": 256, "steps": 20, "tolerance": 0.05},
            ],
        },
    ),
}
"""By name: a study, and how it is made to fit."""


def main(name: str, folder: Path, only: set[int]) -> None:
    """Train and analyse what is not there yet, seed by seed; once all is there, say what the claims come to."""
    torch.set_num_threads(1)
    study, changes = PARTS[name]
    data = settings().data_folder
    document = STUDIES[study].spec("full", {**changes, "checkpoints": [{"kind": "last"}]})
    spec = parse_spec(filled(document, lambda own, sha256: store.find(data, own, sha256)))
    folder.mkdir(parents=True, exist_ok=True)
    cells = sorted(expand(spec), key=lambda cell: (cell.seed, cell.ordinal))
    loaded = cells[0].load(lambda dataset: dataset.load(data))
    todo = [cell for cell in cells if cell.ordinal in only or not only]
    rows = [_cell(spec, cell, loaded, folder / f"{name}-{cell.ordinal}.json") for cell in todo]
    if len(todo) < len(cells):
        return
    rows = sorted(rows, key=lambda one: one["ordinal"])
    for verdict in verdicts(spec, rows):
        print(verdict)
    source = Kept(spec, rows, folder / name)
    for plot in (PLOTS["landscape"], PLOTS["landscape-surface"]):
        if plot.applies(source.experiment):
            chart, _ = render(plot.chart(plot.numbers(source), Options()), "svg", Options())
            (folder / f"{plot.name}.svg").write_bytes(chart)


class Kept:
    """The cells of a folder as plots of analyses take them."""

    def __init__(self, spec: ExperimentSpec, rows: list[dict[str, Any]], stem: Path) -> None:
        self.experiment = {"name": spec.name, "spec": spec.model_dump(mode="json"), "metrics": {}}
        self.cells = [{"id": str(row["ordinal"]), "shared_with": 0, **row} for row in rows]
        self.analyses = [
            {"id": f"{stem}-{row['ordinal']}.{kind}.npz", "kind": kind, "cells": [str(row["ordinal"])]}
            | {"values": values, "meta": row["meta"][kind]}
            for row in rows
            for kind, values in row["analyses"].items()
        ]
        self.groups: list[dict[str, Any]] = []
        self.verdicts: list[Any] = []

    def arrays(self, analysis: str) -> dict[str, Any]:
        """Of the file of this name."""
        return dict(np.load(analysis))

    def curves(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        """None are kept."""
        return []


def _cell(spec: ExperimentSpec, cell: Cell, data: Arrays, file: Path) -> dict[str, Any]:
    """The row of a cell as results show it, with the values of its analyses by kind."""
    if file.exists():
        return json.loads(file.read_text())  # type: ignore[no-any-return]
    began = time.process_time()
    subject, found = _trained(cell, data)
    trained = time.process_time() - began
    facts: dict[str, Any] = {"process_seconds": {"training": trained}, "meta": {}}
    for analysis in spec.analyses:
        began = time.process_time()
        finding = _finding(analysis, subject)
        kept = found["analyses"].setdefault(analysis.tag(), {})
        kept |= finding.values
        facts["meta"][analysis.tag()] = dict(finding.meta)
        facts["process_seconds"][analysis.tag()] = time.process_time() - began
        np.savez(file.with_suffix(f".{analysis.tag()}.npz"), **finding.arrays)
    file.write_text(json.dumps(found | facts))
    print(cell.describe(), found["result"]["val_accuracy"], found["analyses"], facts["process_seconds"], flush=True)
    return found | facts


def _trained(cell: Cell, data: Arrays) -> tuple[Subject, dict[str, Any]]:
    ending, kept = None, {}
    for block, _ in choose(cell, "cpu").train([cell], data, device="cpu"):
        own = block.cells[0]
        kept |= {step: one.weights for step, one in own.kept.items()}
        ending = own.ending
    assert ending is not None
    return Subject(cell, data, kept), {**row(cell, ending.status, ending.result), "analyses": {}}


def _finding(analysis: Any, subject: Subject) -> Finding:
    for piece, _ in analysis.run([subject]):
        if piece.finding is not None:
            return piece.finding
    raise RuntimeError("the analysis stopped before it had found anything")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), set(map(int, sys.argv[3:])))
