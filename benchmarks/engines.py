"""Whether the rates that a machine measured choose the faster engine, and how far they are off.

    python -m benchmarks.engines

Networks that the rates were not fitted to, at several batch sizes and numbers of cells: the seconds of an update of all
cells as one stack and one after the other under the reference engine, each the median of its updates, beside those by
the rates, and what `auto` takes. Results go to benchmarks/results/engines.md.
"""

from itertools import product
from math import exp, log
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from batchlab import calibration, engines
from batchlab.cell import Cell
from batchlab.cost import features
from batchlab.expand import expand
from batchlab.spec import parse_spec

from benchmarks.common import write

NETWORKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "softmax, Adam": ({"kind": "softmax"}, {"kind": "adam"}),
    "64-32-10, layer normalisation": ({"kind": "mlp", "widths": [32], "norm": {"kind": "layer"}}, {"kind": "sgd"}),
    "64-128-128-10, Adam": ({"kind": "mlp", "widths": [128, 128]}, {"kind": "adam"}),
    "64-1024-10, Adam": ({"kind": "mlp", "widths": [1024]}, {"kind": "adam"}),
    "convolutions 8, 16": ({"kind": "cnn", "channels": [8, 16], "width": 32}, {"kind": "sgd"}),
    "convolutions 32, 64": ({"kind": "cnn", "channels": [32, 64], "width": 64}, {"kind": "sgd"}),
}
BATCHES, TOGETHER = (4, 32, 256), (2, 8, 32)
STEPS = 24
MANY = 10_000
"""Updates of the cells that are chosen for, so that their evaluations, which are not measured here, hardly count."""


def cells_of(
    kinds: tuple[dict[str, Any], dict[str, Any]], batch: int, together: int, steps: int = STEPS
) -> tuple[Cell, ...]:
    model, optimizer = kinds
    spec = {
        "dataset": {"kind": "digits"},
        "model": model,
        "optimizer": optimizer,
        "batch_sizes": [batch],
        "lr": {"rule": "fixed", "base": 1e-3},
        "budget": {"steps": steps},
        "evaluate": {"every_steps": steps},
        "seeds": together,
    }
    return expand(parse_spec(spec))


def seconds(engine: str, cells: tuple[Cell, ...]) -> float:
    """Of an update of all these cells, one after the other where the engine takes one at a time."""
    taken = cells if engine == "stacked" else cells[:1]
    data = cells[0].load(lambda dataset: dataset.load(Path()))
    return calibration.seconds(engine, taken, data, "cpu") * len(cells) / len(taken)


def main() -> None:
    torch.set_num_threads(1)
    rates = calibration.rates("cpu")
    rows, off, lost = list[str](), list[float](), list[float]()
    for (name, kinds), batch, together in product(NETWORKS.items(), BATCHES, TOGETHER):
        cells = cells_of(kinds, batch, together)
        alone, stack = seconds("reference", cells), seconds("stacked", cells)
        by_rates = [rates.reference.of(features(cells[0])) * together, rates.stacked.of(features(cells[0], together))]
        chosen, size = engines.plan(cells_of(kinds, batch, together, MANY), "cpu", rates)
        off += [by / true for by, true in zip(by_rates, (alone, stack), strict=True)]
        lost.append({"stacked": stack, "reference": alone}[chosen] / min(alone, stack))
        took = f"{1e3 * alone:.2f} | {1e3 * stack:.2f} | {alone / stack:.2f}"
        told = f"{by_rates[0] / alone:.2f} | {by_rates[1] / stack:.2f} | {chosen}, {size} | {lost[-1]:.2f}"
        rows.append(f"| {name} | {batch} | {together} | {took} | {told} |")
        print(rows[-1], flush=True)
    wrong = sum(one > 1 for one in lost)
    lines = [
        "# The rates, and the engine that they choose",
        "",
        "`python -m benchmarks.engines`, one thread. Rates by `batchlab.calibration`, right to "
        f"{rates.misfit:.0%} for the runs that they are from.",
        f"Here they are off by a factor of {exp(mean(abs(log(one)) for one in off)):.2f} in the geometric mean, at "
        f"most {exp(max(abs(log(one)) for one in off)):.1f}. The slower engine is taken in {wrong} of {len(lost)} rows "
        f"(at worst it takes {max(lost):.2f} times as long, since a stack must promise a gain of a quarter); over all "
        f"rows what is taken needs {mean(lost):.2f} times the faster engine's time.",
        "",
        "| network | batch | cells | one by one, ms | stack, ms | ratio | by rates / one by one | by rates / stack "
        "| taken | lost |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *rows,
    ]
    write("engines", "\n".join(lines))


if __name__ == "__main__":
    main()
