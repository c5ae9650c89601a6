"""Workers killed with -9 at random moments of one experiment, with the default leases: is every bit the same?

    python -m benchmarks.faults [--kills 20] [--seed 1]

Runs the textbook sweep undisturbed, then again under fire, and compares the digests, which cover every stored value of
every series, every result and every status. Writes benchmarks/results/faults.md; exit status 1 where they differ.
"""

import argparse
import os
import random
import tempfile
import time
from pathlib import Path

import psutil
from batchlab_client import Client
from batchlab_lab.embedded import Embedded
from batchlab_lab.home import Home

from benchmarks.common import write

OVERRIDES = {"seeds": 2, "engine": "reference"}
"""The reference is slow enough to be killed twenty times."""


SETTLED_SECONDS = 5.0
"""A worker younger than this still loads torch; older ones train."""


def workers() -> list[psutil.Process]:
    """The worker processes below this one that are past their start."""
    found = psutil.Process().children(recursive=True)
    settled = time.time() - SETTLED_SECONDS
    return [p for p in found if "batchlab_worker" in " ".join(p.cmdline()) and p.create_time() < settled]


def undisturbed(client: Client) -> str:
    id = client.run_study("grad-norm-vs-batch", OVERRIDES, size="full").id
    client.wait(id)
    return id


def under_fire(client: Client, kills: int, seed: int) -> tuple[str, int]:
    """The same experiment with up to `kills` workers killed at random moments; its id and how many were killed."""
    dice, killed = random.Random(seed), 0
    id = client.run_study("grad-norm-vs-batch", OVERRIDES, size="full").id
    while client.get(id).finished_at is None:
        time.sleep(dice.uniform(0.2, 4.0))
        victims = workers()
        if killed < kills and victims:
            dice.choice(victims).kill()
            killed += 1
    return id, killed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for name in [n for n in os.environ if n.startswith("BATCHLAB_")]:
        del os.environ[name]
    with (
        tempfile.TemporaryDirectory(prefix="batchlab-bench-") as folder,
        Embedded(Home(Path(folder)), port=0) as lab,
        Client(lab.url) as client,
    ):
        calm = undisturbed(client)
        start = time.monotonic()
        stormy, killed = under_fire(client, options.kills, options.seed)
        seconds = time.monotonic() - start
        digests = [client.digest(id).digest for id in (calm, stormy)]
        updates = client.get(stormy).progress.updates_done
    same = digests[0] == digests[1]
    verdict = "the same digest" if same else "ANOTHER digest"
    text = (
        "# Workers killed in mid-run\n\n"
        f"`python -m benchmarks.faults --kills {options.kills} --seed {options.seed}`: {killed} of a lab's workers "
        f"killed with -9 at random moments of one experiment of {updates} updates ({seconds:.0f} s), default leases: "
        f"{verdict} as undisturbed (`{digests[0][:16]}…`, `{digests[1][:16]}…`)."
    )
    write("faults", text)
    return int(not same or killed < options.kills)


if __name__ == "__main__":
    raise SystemExit(main())
