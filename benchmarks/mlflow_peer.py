"""MLflow on SQLite, doing what `benchmarks.storage` asks for. Runs in an environment of its own, with nothing of ours.

One JSON command a line comes in, one JSON answer a line goes out: {"write": [metrics, steps]} stores so many steps more
of so many metrics, as fast as its client can (`log_batch` with the most values that it takes); {"read": points} thins
metric 0 as its user interface does; {"size": null} is the size of the database. Times are seconds.
"""

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

MOST = 1000
"""Values of one `log_batch`: MLflow refuses more."""


class Peer:
    """A run in a fresh SQLite database in the working directory."""

    def __init__(self) -> None:
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
        from mlflow.tracking import MlflowClient

        self.file = Path("mlflow.db")
        uri = f"sqlite:///{self.file}"
        self.client = MlflowClient(uri)
        self.run = self.client.create_run(self.client.create_experiment("storage")).info.run_id
        self.store = SqlAlchemyStore(uri, "artifacts")
        self.steps = 0

    def write(self, asked: list[int]) -> dict[str, float]:
        from mlflow.entities import Metric

        metrics, steps = asked
        values = [
            Metric(f"metric {metric}", random.gauss(0, 1), 0, self.steps + step + 1)
            for step in range(steps)
            for metric in range(metrics)
        ]
        self.steps += steps
        start = time.perf_counter()
        for first in range(0, len(values), MOST):
            self.client.log_batch(self.run, metrics=values[first : first + MOST])
        return {"seconds": time.perf_counter() - start}

    def read(self, points: int) -> dict[str, float]:
        start = time.perf_counter()
        found = self.store.get_metric_history_bulk_interval([self.run], "metric 0", points, None, None)
        return {"seconds": time.perf_counter() - start, "points": len(found)}

    def size(self, _: None) -> dict[str, Any]:
        files = self.file.parent.glob(f"{self.file.name}*")
        return {"bytes": sum(file.stat().st_size for file in files), "version": version("mlflow-skinny")}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # MLflow's own words go to stderr
    with tempfile.TemporaryDirectory(prefix="mlflow-peer-") as folder:
        os.chdir(folder)
        peer = Peer()
        for line in sys.stdin:
            [(name, asked)] = json.loads(line).items()
            does: Callable[[Any], dict[str, Any]] = {"write": peer.write, "read": peer.read, "size": peer.size}[name]
            answers.write(json.dumps(does(asked)) + "\n")


if __name__ == "__main__":
    main()
