"""A share of an experiment's cells trained by the core alone: what the lab is measured against.

    python -m benchmarks.bare PART OF < spec.json

Trains the cells PART, PART + OF, …, all of one data set and engine, one after the other, on one thread. Says "ready"
once everything is imported and compiled, waits for a line, and prints the seconds that training took.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from batchlab.engines import choose
from batchlab.expand import expand
from batchlab.spec import parse_spec

from benchmarks.common import ROOT, cohorts


def seconds(spec: dict[str, Any], processes: int = 1) -> float:
    """Seconds of so many processes that share the cells of a spec: those of the last one."""
    started = [_start(part, processes, spec) for part in range(processes)]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return max(float(process.communicate()[0]) for process in started)


def _start(part: int, processes: int, spec: dict[str, Any]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.bare", str(part), str(processes)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(json.dumps(spec) + "\n")
    process.stdin.flush()
    return process


def main() -> None:
    part, of = map(int, sys.argv[1:])
    torch.set_num_threads(1)
    cells = expand(parse_spec(json.loads(sys.stdin.readline())))[part::of]
    data = cells[0].load(lambda dataset: dataset.load(Path()))
    next(iter(choose(cells[0], "cpu").train(cells[:1], data, block_seconds=0.01)))
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    engine = choose(cells[0], "cpu")
    for cohort in cohorts(engine, cells):
        for _ in engine.train(cohort, data):
            pass
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
