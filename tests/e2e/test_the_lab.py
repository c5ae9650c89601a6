"""The lab as a script sees it: post, train, curves, results, plots, over real processes."""

import csv
import io
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from batchlab_client import BadSpecError, Client
from batchlab_lab.embedded import Embedded
from scipy.stats import spearmanr

SHARED = Path(__file__).parents[3] / "shared" / "data"
SPEC: dict[str, Any] = {
    "name": "three batches",
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [4, 16, 64],
    "lr": {"rule": "fixed", "base": 0.5},
    "budget": {"epochs": 20},
    "seeds": 2,
    "evaluate": {"every_steps": 80},
}
LONGER: dict[str, Any] = {
    **SPEC,
    "name": "longer",
    "batch_sizes": [2, 4, 8],
    "budget": {"epochs": 40},
    "engine": "reference",
}
"""Long enough to be disturbed."""


@pytest.fixture(scope="module")
def calm(lab: Embedded) -> str:
    """The digest of LONGER when nothing disturbs it."""
    with Client(lab.url) as client:
        return client.digest(client.wait(client.submit(LONGER).id, timeout=240).id).digest


def workers(lab: Embedded) -> list[psutil.Process]:
    """The worker processes of this lab."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has ended since
            if "batchlab_worker" in " ".join(child.cmdline()) and lab.postgres.url in str(child.environ()):
                found.append(child)
    return found


def test_a_posted_experiment_ends_with_results_curves_and_plots(client: Client) -> None:
    posted = client.submit(SPEC)
    assert (posted.status, posted.cells, posted.warnings) == ("queued", 6, [])
    experiment = client.wait(posted.id, timeout=120)
    assert experiment.status == "succeeded"
    groups = client.results(posted.id).groups
    assert [(g.by["batch_size"], g.n) for g in groups] == [(4, 2), (16, 2), (64, 2)]
    series = client.curves(posted.id, ["loss"], batch_size=[4]).series
    assert all(s.x[0] == 1 and s.x[-1] == 4000 and s.n_raw == 4000 for s in series)
    assert {p.name for p in client.plots(posted.id)} >= {"grad-norm-vs-batch", "loss-curves"}
    assert client.plot(posted.id, "grad-norm-vs-batch", "svg").startswith(b"<svg")
    assert client.plot(posted.id, "loss-curves", "pdf").startswith(b"%PDF")
    table = list(csv.DictReader(io.StringIO(client.results_file(posted.id).decode())))
    assert len(table) == 6


def test_norms_fall_and_best_loss_rises_with_the_batch(client: Client) -> None:
    spec = {**SPEC, "batch_sizes": [4, 8, 16, 32, 64, 128], "budget": {"epochs": 40}, "seeds": 1}
    id = client.submit(spec).id
    client.wait(id, timeout=120)
    groups = [g.model_dump() for g in client.results(id).groups]
    sizes = [g["by"]["batch_size"] for g in groups]
    assert spearmanr(sizes, [g["mean_grad_norm_biases"]["mean"] for g in groups]).statistic < -0.98
    assert spearmanr(sizes, [g["best_val_loss"]["mean"] for g in groups]).statistic > 0.98


def test_a_bad_spec_is_refused_at_its_path_before_anything_is_stored(client: Client) -> None:
    before = len(list(client.list()))
    with pytest.raises(BadSpecError) as refused:
        client.submit({**SPEC, "lr": {"rule": "fixed", "bass": 0.5}})
    assert [f.loc for f in refused.value.problem.errors or ()] != []
    assert len(list(client.list())) == before


def test_progress_and_curves_appear_while_a_cell_runs(client: Client) -> None:
    id = client.submit({**LONGER, "batch_sizes": [1], "seeds": 1, "budget": {"epochs": 200}}).id
    for _ in range(600):
        seen = client.get(id)
        series = client.curves(id, ["loss"]).series
        if seen.progress.updates_done and series and series[0].n_raw:
            break
        time.sleep(0.05)
    assert seen.status == "running"
    assert 0 < series[0].n_raw < 160_000
    client.cancel(id)
    assert client.wait(id, timeout=30).status == "cancelled"
    assert client.curves(id, ["loss"]).series[0].n_raw >= series[0].n_raw


def test_workers_killed_in_mid_run_come_back_and_change_nothing(lab: Embedded, client: Client, calm: str) -> None:
    stormy = client.submit(LONGER).id
    dice, kills = random.Random(7), 0
    while client.get(stormy).finished_at is None:
        time.sleep(dice.uniform(0.1, 1.2))
        victims = workers(lab)
        if kills < 4 and victims:
            with suppress(psutil.NoSuchProcess):
                dice.choice(victims).send_signal(signal.SIGKILL)
                kills += 1
    assert client.get(stormy).status == "succeeded"
    assert kills == 4
    assert client.digest(stormy).digest == calm


def test_a_lost_broker_and_a_restarted_database_change_nothing(lab: Embedded, client: Client, calm: str) -> None:
    stormy = client.submit(LONGER).id
    while client.get(stormy).progress.updates_done == 0:
        time.sleep(0.05)
    lab.redis.kill()
    time.sleep(0.5)
    lab.redis.start()
    lab.postgres.stop()
    lab.postgres.start()
    assert client.wait(stormy, timeout=240).status == "succeeded"
    assert client.digest(stormy).digest == calm


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.exists(), reason="needs the real data of ../shared/data")
def test_mnist_is_found_in_the_data_folder_and_learned(client: Client) -> None:
    spec = {
        "name": "mnist",
        "dataset": {"kind": "mnist"},
        "model": {"kind": "mlp", "widths": [64]},
        "batch_sizes": [100, "10%"],
        "lr": {"rule": "fixed", "base": 0.1},
        "momentum": 0.9,
        "budget": {"epochs": 1},
        "seeds": 1,
    }
    posted = client.submit(spec)
    assert posted.warnings == []
    assert client.wait(posted.id, timeout=240).status == "succeeded"
    groups = {g.by["batch_size"]: g.model_dump() for g in client.results(posted.id).groups}
    assert set(groups) == {100, 6000}
    assert groups[100]["val_accuracy"]["mean"] > 0.93
    assert groups[100]["seconds_per_update"]["mean"] < groups[6000]["seconds_per_update"]["mean"]
