"""How far the estimates of a lab are from the time that experiments then take.

    python -m benchmarks.estimate

Experiments of several kinds, one after the other, on a lab that has trained each engine's cells before: what the dry
run says just before POST, and what progress says after a quarter, half and three quarters of the time, over the seconds
that were in fact left. 1 is right, 2 is twice too long. Results go to benchmarks/results/estimate.md.
"""

import time
from math import exp, log
from statistics import mean
from typing import Any

from batchlab_client import Client

from benchmarks.common import laboratory, write

RATE = {"rule": "fixed", "base": 0.05}
DIGITS = {"dataset": {"kind": "digits"}, "lr": RATE}
CNN = {"kind": "cnn", "channels": [8, 16], "width": 32}
JOBS: dict[str, dict[str, Any]] = {
    "compiled: softmax, batch 1 to 400": {
        "dataset": {"kind": "sectors"},
        "model": {"kind": "softmax"},
        "batch_sizes": [1, 10, 100, 400],
        "lr": RATE,
        "budget": {"epochs": 12_000},
        "seeds": 3,
    },
    "compiled: network, batch 8 and 128": {
        **DIGITS,
        "model": {"kind": "mlp", "widths": [64]},
        "batch_sizes": [8, 128],
        "budget": {"epochs": 1200},
        "seeds": 3,
    },
    "stacked: normalised network, Adam": {
        **DIGITS,
        "model": {"kind": "mlp", "widths": [32], "norm": {"kind": "layer"}},
        "optimizer": {"kind": "adam"},
        "batch_sizes": [16, 64],
        "budget": {"epochs": 300},
        "seeds": 4,
    },
    "reference: batch normalisation": {
        **DIGITS,
        "model": {"kind": "mlp", "widths": [64], "norm": {"kind": "batch"}},
        "batch_sizes": [16, 256],
        "budget": {"epochs": 400},
        "seeds": 2,
    },
    "reference: convolutions, batch 16 to 512": {
        **DIGITS,
        "model": CNN,
        "batch_sizes": [16, 64, 512],
        "budget": {"epochs": 80},
        "seeds": 2,
    },
}
WARM: dict[str, Any] = {"budget": {"epochs": 1}, "seeds": 1}
SHARES = (0.25, 0.5, 0.75)


def watched(client: Client, spec: dict[str, Any]) -> list[float | None]:
    """Estimates over truth: of the dry run, then at each of `SHARES`; None where there was no estimate."""
    planned = client.plan(spec).eta_seconds
    began = time.monotonic()
    id, told = client.submit(spec).id, list[tuple[float, float | None]]()
    while (experiment := client.get(id)).status not in ("succeeded", "failed", "cancelled"):
        told.append((time.monotonic() - began, experiment.progress.eta_seconds))
        time.sleep(0.2)
    if experiment.status != "succeeded":
        raise RuntimeError(f"the experiment has {experiment.status}")
    took = time.monotonic() - began
    found = [None if planned is None else planned / took]
    for share in SHARES:
        at, left = min(told, key=lambda one: abs(one[0] - share * took))
        found.append(None if left is None else left / (took - at))
    return [*found, took]


def main() -> None:
    with laboratory() as client:
        for spec in JOBS.values():
            client.wait(client.submit({**spec, **WARM}).id)
        rows = {name: watched(client, spec) for name, spec in JOBS.items()}
    columns = list(zip(*rows.values(), strict=True))[:-1]
    off = [exp(mean(abs(log(one)) for one in column if one)) for column in columns]
    lines = [
        "# How far estimates of the time left are off",
        "",
        "`python -m benchmarks.estimate`: the estimate over the seconds that were left, of one experiment each on two "
        "workers.",
        "",
        "| experiment | took, s | dry run | at 25 % | at 50 % | at 75 % |",
        "| --- | --- | --- | --- | --- | --- |",
        *(f"| {name} | {row[-1]:.0f} | {' | '.join(map(_text, row[:-1]))} |" for name, row in rows.items()),
        f"| off by a factor of, geometric mean | | {' | '.join(map(_text, off))} |",
    ]
    write("estimate", "\n".join(lines))


def _text(ratio: float | None) -> str:
    return "none" if ratio is None else f"{ratio:.2f}"


if __name__ == "__main__":
    main()
