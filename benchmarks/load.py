"""The api under load: many reads a second, a burst of posts, a large page, a large export.

    python -m benchmarks.load

The lab's processes, database included, share core 0; who asks is another process on core 1. Results go to
benchmarks/results/load.md. The page is also timed in Chromium where there is one.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from batchlab_client import Client
from batchlab_lab.embedded import Embedded
from batchlab_lab.home import Home
from sqlalchemy import create_engine, text

from benchmarks.common import ROOT, spread, write

RATE, SECONDS, READ_ROUNDS = 500, 8, 3
POSTS, CONNECTIONS, TWICE = 1000, 8, 100
"""Posts in a burst, over so many connections; so many of them are sent twice, with the same key."""
PAGE_CELLS, PAGE_ROUNDS = 500, 5
DRAIN_SECONDS = 60.0
LONGEST_EXPORT = 25.0
"""Seconds: a longer one is broken off."""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SMALL: dict[str, Any] = {
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [16],
    "lr": {"rule": "fixed", "base": 0.1},
    "budget": {"steps": 20},
}


def processes() -> list[psutil.Process]:
    """Everything that the lab has started."""
    return psutil.Process().children(recursive=True)


def api() -> psutil.Process:
    """The lab's api."""
    return next(p for p in processes() if "batchlab_api" in " ".join(p.cmdline()))


@contextmanager
def on_one_core() -> Iterator[None]:
    """The whole lab on core 0 (and back on all)."""
    everywhere = list(os.sched_getaffinity(0))
    for process in processes():
        process.cpu_affinity(everywhere[:1])
    try:
        yield
    finally:
        for process in processes():
            process.cpu_affinity(everywhere)


def loader(*asked: Any, given: Any = None) -> Any:
    """What the other process found."""
    command = [sys.executable, "-m", "benchmarks.loader", *map(str, asked), "1"]
    found = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(found.stdout)


def done(client: Client, **changes: Any) -> str:
    """An experiment that has been trained to its end."""
    id = client.submit({**SMALL, **changes}).id
    client.wait(id)
    return id


def reads(client: Client, port: int) -> list[str]:
    """Reads of one experiment of 80 cells, in an open loop."""
    id = done(client, batch_sizes=[8, 16, 32, 64], lr={"rule": "list", "values": [0.1, 0.2, 0.3, 0.5]}, seeds=5)
    with on_one_core():
        rounds = [loader("reads", port, f"/experiments/{id}", RATE, SECONDS) for _ in range(READ_ROUNDS)]
    p50, p99 = ([float(np.percentile(r["milliseconds"], q)) for r in rounds] for q in (50, 99))
    rate = [len(r["milliseconds"]) / r["seconds"] for r in rounds]
    wrong = sum(r["wrong"] for r in rounds)
    return [
        f"| reads answered a second, of {RATE} asked | {spread(rate, '.0f')} | {RATE} |",
        f"| milliseconds from due to answered, median | {spread(p50, '.1f')} | |",
        f"| the same, 99th percentile | {spread(p99, '.1f')} | < 50 |",
        f"| answers that were not 200 | {wrong} | 0 |",
    ]


def burst(client: Client, port: int, database: str) -> list[str]:
    """Posts of two owners, interleaved; some are sent twice."""
    posts = [{"key": f"burst-{i}", "spec": {**SMALL, "tags": ["burst", "ab"[i % 2]]}} for i in range(POSTS)]
    found = loader("burst", port, CONNECTIONS, given=[*posts, *posts[:TWICE]])
    answers = found["answers"]
    refused = sum(status != 202 for told in answers.values() for status, _ in told)
    ids = {key: {id for _, id in told} for key, told in answers.items()}
    twice = sum(len(known) != 1 for known in ids.values())
    stored = sum(1 for _ in client.list(tag="burst"))
    began = time.monotonic()
    while (left := open_ones(database)) and time.monotonic() - began < DRAIN_SECONDS:
        time.sleep(1)
    return [
        f"| {POSTS} experiments and {TWICE} repeats posted by {CONNECTIONS} connections, seconds "
        f"| {found['seconds']:.1f} | |",
        f"| refused; keys that made two experiments; stored | {refused}; {twice}; {stored} | 0; 0; {POSTS} |",
        f"| trained to their end within {DRAIN_SECONDS:.0f} s of the burst | {POSTS - left} | {POSTS} |",
    ]


def open_ones(database: str) -> int:
    """Experiments that have not ended."""
    return int(rows(database, "SELECT count(*) FROM experiments WHERE outcome IS NULL")[0][0])


def rows(database: str, query: str, **values: Any) -> Any:
    engine = create_engine(database)
    try:
        with engine.connect() as connection:
            return connection.execute(text(query), values).all()
    finally:
        engine.dispose()


def fairness(client: Client, database: str) -> list[str]:
    """Two owners post as much work each, one after the other: how many slices of one are served in a row."""
    many = {"seeds": 30, "engine": "reference", "budget": {"steps": 200}}
    first, second = (client.submit({**SMALL, **many, "name": owner}).id for owner in ("first", "second"))
    for id in (first, second):
        client.wait(id)
    order = "SELECT experiment_id FROM slices WHERE experiment_id = ANY(:ids) ORDER BY started_at, id"
    served = [id for (id,) in rows(database, order, ids=[first, second])]
    both = served[served.index(second) : len(served) - served[::-1].index(first)] if second in served else served
    longest = max((len(list(run)) for _, run in groupby(both)), default=0)
    return [f"| two experiments of 30 cells: most slices of one in a row while both wait | {longest} | 1 to 2 |"]


def page(client: Client, url: str) -> list[str]:
    """The page of an experiment of 500 cells: what it asks for, and how long until its table is drawn."""
    id = done(client, batch_sizes=[8, 16, 32, 64, 128], lr={"rule": "list", "values": [0.1, 0.2]}, seeds=50)
    asked = [f"/experiments/{id}", f"/experiments/{id}/cells?limit=1000", f"/experiments/{id}/results"]
    took = [seconds_of(lambda: [client.transport.request("GET", path) for path in asked]) for _ in range(PAGE_ROUNDS)]
    found = [f"| experiment, {PAGE_CELLS} cells and results asked for one after the other, s | {spread(took)} | < 1 |"]
    if CHROMIUM:
        drawn = browser_seconds(f"{url}/#/experiments/{id}/cells")
        found.append(f"| Chromium: from the address to {PAGE_CELLS} drawn rows, s | {spread(drawn)} | < 1 |")
    return found


def browser_seconds(address: str) -> list[float]:
    """Seconds until every row is drawn, each time in a fresh context: nothing is cached."""
    from playwright.sync_api import sync_playwright

    took = []
    with sync_playwright() as playwright:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        for _ in range(PAGE_ROUNDS):
            context = browser.new_context()
            tab = context.new_page()
            began = time.perf_counter()
            tab.goto(address)
            tab.locator("tbody tr").nth(PAGE_CELLS - 1).wait_for(state="attached")
            took.append(time.perf_counter() - began)
            context.close()
        browser.close()
    return took


def seconds_of(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def export(client: Client) -> list[str]:
    """Everything that the textbook's sweep has stored, as CSV and Parquet: how much more memory the api takes."""
    id = client.run_study("grad-norm-vs-batch", {"seeds": 1}).id
    client.wait(id)
    process, found = api(), []
    for form in ("csv", "parquet"):
        before, most, size = process.memory_info().rss, [0], 0
        over = threading.Event()
        watch = threading.Thread(target=_watch, args=(process, most, over))
        watch.start()
        began = time.perf_counter()
        for received in download(client.transport.url, id, form):
            size = received
            if time.perf_counter() - began > LONGEST_EXPORT:
                break
        over.set()
        watch.join()
        grown = (max(most[0], before) - before) / 2**20
        found.append(
            f"| {size / 2**20:.0f} MiB of {form} streamed in {time.perf_counter() - began:.0f} s: the api grew by, MiB "
            f"| {grown:.0f} | bounded |"
        )
    return found


def download(url: str, id: str, form: str) -> Iterator[int]:
    """Bytes received so far."""
    import httpx2

    path = f"{url}/experiments/{id}/curves?metrics=loss,grad_norm_weights&format={form}"
    received = 0
    with httpx2.Client(timeout=60, trust_env=False) as http, http.stream("GET", path) as answer:
        answer.raise_for_status()
        for part in answer.iter_raw():
            received += len(part)
            yield received


def _watch(process: psutil.Process, most: list[int], over: threading.Event) -> None:
    while not over.wait(0.05):
        most[0] = max(most[0], process.memory_info().rss)


HEAD = f"""# The api under load

`python -m benchmarks.load`. The reads: the lab with its database on one core, who asks on another, {RATE} reads of
`GET /experiments/{{id}}` with 80 cells a second for {SECONDS} s in an open loop (each is counted from the moment it was
due), without conditional GETs, while the experiment is changed ten times a second. Medians of {READ_ROUNDS} rounds or
{PAGE_ROUNDS}, in brackets the least and the greatest. The page: all processes on all cores.

| | measured | wanted |
| --- | --- | --- |"""


def main() -> None:
    os.environ["BATCHLAB_BALLAST_BYTES"] = "0"
    with (
        tempfile.TemporaryDirectory(prefix="batchlab-bench-") as folder,
        Embedded(Home(Path(folder)), port=0, workers=1) as lab,
        Client(lab.url) as client,
    ):
        database = lab.postgres.url
        lines = [*reads(client, lab.port), *burst(client, lab.port, database), *fairness(client, database)]
        lines += [*page(client, lab.url), *export(client)]
    write("load", "\n".join([HEAD, *lines]))


if __name__ == "__main__":
    main()
