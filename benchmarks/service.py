"""What the service costs: training through the embedded lab beside the core alone, and how soon a small job starts.

    python -m benchmarks.service [--rounds 5]

The same cells are trained in turns by one worker of a lab (POST to succeeded, every value stored) and by one process
with the core alone: a job of half a minute, and the textbook's sweep of `benchmarks.sweeps`, whose 4.6 million updates
are little else than what is stored of them. Results go to benchmarks/results/service.md.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from batchlab_client import Client
from batchlab_lab.embedded import Embedded
from batchlab_lab.home import Home
from sqlalchemy import Connection, create_engine, text

from benchmarks import bare
from benchmarks.common import spread, write
from benchmarks.sweeps import WORKLOADS

JOB: dict[str, Any] = {
    "dataset": {"kind": "digits"},
    "model": {"kind": "mlp", "widths": [64]},
    "batch_sizes": [32],
    "lr": {"rule": "fixed", "base": 0.05},
    "budget": {"steps": 20_000},
    "seeds": 8,
    "engine": "reference",
}
"""Eight cells of four or five seconds."""
SMALL: dict[str, Any] = {
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [16],
    "lr": {"rule": "fixed", "base": 0.1},
    "budget": {"steps": 100},
}
STARTS = 12
_TIMES = text(
    """
    SELECT extract(epoch FROM e.created_at)::float8 AS stored, extract(epoch FROM s.started_at)::float8 AS claimed,
        extract(epoch FROM c.finished_at)::float8 AS recorded
    FROM experiments e JOIN slices s ON s.experiment_id = e.id JOIN cells c ON c.experiment_id = e.id WHERE e.id = :id
    """
)


def through_the_lab(client: Client, spec: dict[str, Any]) -> float:
    """Seconds from POST to the end."""
    began = time.perf_counter()
    experiment = client.wait(client.submit(spec).id)
    if experiment.status != "succeeded":
        raise RuntimeError(f"the job has {experiment.status}")
    return time.perf_counter() - began


def start(client: Client, connection: Connection) -> dict[str, float]:
    """Milliseconds of the parts of a small job: all of its updates are in its first block."""
    posted = time.time()
    id = client.submit(SMALL).id
    client.wait(id)
    stored, claimed, recorded = connection.execute(_TIMES, {"id": id}).one()
    connection.rollback()
    return {
        "POST to stored": 1000 * (stored - posted),
        "stored to claimed": 1000 * (claimed - stored),
        "claimed to recorded": 1000 * (recorded - claimed),
        "POST to first updates recorded": 1000 * (recorded - posted),
    }


Pairs = list[tuple[float, float]]
"""Seconds through the lab and with the core alone, round by round."""


def report(pairs: Pairs, textbook: Pairs, starts: list[dict[str, float]], alone: list[float]) -> str:
    """The table."""
    whole = [one["POST to first updates recorded"] for one in starts]
    ours = [one - 1000 * median(alone) for one in whole]
    lines = [
        "# What the service costs",
        "",
        f"`python -m benchmarks.service --rounds {len(pairs)}`: medians, in brackets the least and the greatest. One "
        "worker with one thread; the core alone in one process with one thread, in turns.",
        "",
        "| | measured | wanted |",
        "| --- | --- | --- |",
        f"| s of {JOB['seeds']} cells of {JOB['budget']['steps']} updates, core alone | "
        f"{spread([core for _, core in pairs], '.1f')} | >= 30 |",
        f"| s of the same through the lab, POST to succeeded | {spread([lab for lab, _ in pairs], '.1f')} | |",
        f"| ratio | {spread([lab / core for lab, core in pairs], '.3f')} | <= 1.1 |",
        f"| s of the textbook's sweep, core alone | {spread([core for _, core in textbook])} | |",
        f"| s of the same through the lab, POST to succeeded | {spread([lab for lab, _ in textbook])} | |",
        f"| ratio | {spread([lab / core for lab, core in textbook])} | <= 2 |",
        *(
            f"| small job, ms: {name} | {spread([one[name] for one in starts], '.1f')} | |"
            for name in list(starts[0])[:3]
        ),
        f"| small job, ms: POST to first updates recorded | {spread(whole, '.1f')} | < 1000 |",
        f"| small job, ms: its training with the core alone | {spread([1000 * one for one in alone], '.1f')} | |",
        f"| small job, ms: ours (all but the training) | {spread(ours, '.1f')} | < 200 |",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options, _ = parser.parse_known_args()
    os.environ |= {"BATCHLAB_BALLAST_BYTES": "0", "BATCHLAB_THREADS": "1"}
    with (
        tempfile.TemporaryDirectory(prefix="batchlab-bench-") as folder,
        Embedded(Home(Path(folder)), port=0, workers=1) as lab,
        Client(lab.url) as client,
    ):
        with create_engine(lab.postgres.url).connect() as connection:
            for _ in range(3):  # a warm lab: its worker has imported and compiled what it needs
                start(client, connection)
            starts = [start(client, connection) for _ in range(STARTS)]
        alone = [bare.seconds(SMALL) for _ in range(3)]
        pairs = [(through_the_lab(client, JOB), bare.seconds(JOB)) for _ in range(options.rounds)]
        sweep = WORKLOADS["textbook"]
        textbook = [(through_the_lab(client, sweep), bare.seconds(sweep)) for _ in range(5)]
    write("service", report(pairs, textbook, starts, alone))


if __name__ == "__main__":
    main()
