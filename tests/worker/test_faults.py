"""Whatever befalls a worker, its broker or its database, an experiment ends with the rows of an undisturbed one."""

import os
import random
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
from batchlab_db import broker, migrate, reconcile
from batchlab_lab.servers import Postgres, Redis
from batchlab_worker.crash import Point
from batchlab_worker.supervisor import EX_TEMPFAIL

if TYPE_CHECKING:
    from conftest import Lab, WorkerProcess

SWEEP: dict[str, Any] = {"batch_sizes": [4, 32], "momentum": 0.9, "budget": {"steps": 8000}}
"""Long enough for a worker to be killed at each point, also on a fast processor."""


@pytest.fixture(scope="session")
def known() -> dict[str, str]:
    return {}


@pytest.fixture
def undisturbed(lab: "Lab", known: dict[str, str]) -> str:
    """The digest of SWEEP, trained by one worker in peace."""
    if not known:
        worker = lab.worker()
        experiment = lab.submit(**SWEEP)
        assert lab.finish(experiment) == "succeeded"
        worker.kill()
        known["digest"] = lab.digest(experiment)
    return known["digest"]


def kill_somewhere(lab: "Lab", worker: "WorkerProcess", experiment: str, seed: int) -> None:
    """Kill the worker at a random moment after it got on with the experiment."""
    before = lab.steps(experiment)
    lab.until(lambda: lab.steps(experiment) > before or lab.outcome(experiment))
    time.sleep(random.Random(seed).uniform(0, 0.3))
    worker.kill()


def test_a_worker_killed_at_each_point_of_a_slice_changes_nothing(lab: "Lab", undisturbed: str) -> None:
    experiment = lab.submit(**SWEEP)
    passes = {"before-block": 3, "after-block": 3, "before-checkpoint": 4, "after-checkpoint": 2}
    short = {"BATCHLAB_SLICE_SECONDS": "0.1", "BATCHLAB_BLOCK_SECONDS": "0.02"}
    for point in reversed(get_args(Point)):
        worker = lab.worker(BATCHLAB_CRASH_AT=f"{point}:{passes.get(point, 1)}", **short)
        assert worker.wait() == 137, point
        lab.hurry()
    lab.worker()
    assert lab.finish(experiment) == "succeeded"
    assert lab.digest(experiment) == undisturbed


def test_workers_killed_at_random_moments_change_nothing(lab: "Lab", undisturbed: str) -> None:
    experiment = lab.submit(**SWEEP)
    for seed in range(4):
        kill_somewhere(lab, lab.worker(), experiment, seed)
    lab.worker()
    assert lab.finish(experiment) == "succeeded"
    assert lab.digest(experiment) == undisturbed
    assert lab.scalar("SELECT count(*) FROM slices WHERE outcome = 'lost'") > 0


def test_a_worker_stopped_past_its_lease_and_continued_later_changes_nothing(lab: "Lab", undisturbed: str) -> None:
    sleeper = lab.worker()
    experiment = lab.submit(**SWEEP)
    lab.until(lambda: lab.steps(experiment) > 300)
    sleeper.send(signal.SIGSTOP)
    lab.worker()
    assert lab.finish(experiment) == "succeeded"
    before = lab.ask("SELECT * FROM cells ORDER BY id")
    sleeper.send(signal.SIGCONT)
    lab.until(lambda: [line for line in sleeper.lines("slice") if line["outcome"] == "fenced"])
    assert lab.ask("SELECT * FROM cells ORDER BY id") == before
    assert lab.digest(experiment) == undisturbed


def test_a_worker_stopped_past_its_lease_rescues_and_finishes_its_own_work(lab: "Lab", undisturbed: str) -> None:
    worker = lab.worker()
    experiment = lab.submit(**SWEEP)
    lab.until(lambda: lab.steps(experiment) > 300)
    worker.send(signal.SIGSTOP)
    time.sleep(lab.settings.lease_seconds * 1.5)
    worker.send(signal.SIGCONT)
    assert lab.finish(experiment) == "succeeded"
    assert lab.digest(experiment) == undisturbed
    assert lab.scalar("SELECT max(losses) FROM cohorts") == 0


def test_a_broker_that_forgets_dies_and_comes_back_changes_nothing(lab: "Lab", redis: Redis, undisturbed: str) -> None:
    worker = lab.worker()
    experiment = lab.submit(**SWEEP)
    lab.until(lambda: lab.steps(experiment) > 300)
    lab.forget_messages()
    redis.kill()
    try:
        assert lab.finish(experiment) == "succeeded"  # who has work goes on without a broker
    finally:
        redis.start()
    assert lab.digest(experiment) == undisturbed
    assert lab.finish(lab.submit(budget={"steps": 20})) == "succeeded"
    assert worker.status is None


def test_a_worker_leaves_also_while_the_broker_is_away(lab: "Lab", redis: Redis) -> None:
    worker = lab.worker()
    lab.until(lambda: "Connected to redis" in worker.log.read_text())
    redis.kill()
    try:
        lab.until(lambda: "Cannot connect to redis" in worker.log.read_text())
        worker.send(signal.SIGTERM)
        assert worker.wait() == 0
    finally:
        redis.start()


def test_a_worker_that_starts_without_a_broker_works_all_the_same(lab: "Lab", redis: Redis) -> None:
    experiment = lab.submit(batch_sizes=[4, 8], budget={"steps": 100})
    redis.kill()
    try:
        lab.worker()
        assert lab.finish(experiment) == "succeeded"
    finally:
        redis.start()


@pytest.fixture
def own_postgres(servers_folder: Path) -> Iterator[Postgres]:
    """A database server that may be restarted."""
    with Postgres(servers_folder / "restarted", options={"fsync": "off", "shared_buffers": "32MB"}) as server:
        migrate.upgrade(server.url)
        yield server


def test_a_database_that_restarts_or_stays_away_past_the_lease_changes_nothing(
    lab: "Lab", own_postgres: Postgres, undisturbed: str
) -> None:
    lab.move(own_postgres.url)
    worker = lab.worker()
    experiment = lab.submit(**SWEEP)
    lab.until(lambda: lab.steps(experiment) > 300)
    own_postgres.stop()
    own_postgres.start()
    reached = lab.steps(experiment)
    lab.until(lambda: lab.steps(experiment) > reached)
    own_postgres.kill()
    lab.until(lambda: [line for line in worker.lines("slice") if line["outcome"] == "fenced"])
    own_postgres.start()
    assert lab.finish(experiment) == "succeeded"
    assert lab.digest(experiment) == undisturbed
    assert worker.status is None


def test_a_cell_that_kills_each_worker_is_given_up_after_three(lab: "Lab") -> None:
    experiment = lab.submit()
    for _ in range(lab.settings.max_losses):
        worker = lab.worker(BATCHLAB_CRASH_AT="before-block:1")
        assert worker.wait() == 137
        lab.hurry()
        reconcile.reconcile(lab.engine, lab.settings)
        lab.hurry()
    assert lab.outcome(experiment) == "failed"
    (cell,) = lab.ask("SELECT cause, message, steps_done FROM cells")
    assert (cell.cause, cell.steps_done) == ("lost", 0)
    assert "3 times without progress" in cell.message


def test_a_worker_that_hangs_says_where_and_makes_way(lab: "Lab") -> None:
    experiment = lab.submit(budget={"steps": 50})
    worker = lab.worker(TEST_HANGS="1", BATCHLAB_STALL_SECONDS="0.05")
    assert worker.wait() == EX_TEMPFAIL
    assert worker.lines("stalled")[0]["phase"] == "prepare"
    assert "in train" in worker.log.read_text()
    lab.worker()
    assert lab.finish(experiment) == "succeeded"


def test_a_model_too_large_for_the_memory_fails_and_the_worker_goes_on(lab: "Lab") -> None:
    worker = lab.worker()
    assert lab.finish(lab.submit(budget={"steps": 20})) == "succeeded"
    pages = int(Path(f"/proc/{worker.pid}/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + (256 << 20)
    resource.prlimit(worker.pid, resource.RLIMIT_AS, (most, most))
    huge = lab.submit(model={"kind": "mlp", "widths": [9000, 9000]}, budget={"steps": 20})
    assert lab.finish(huge) == "failed"
    assert lab.ask("SELECT cause FROM cells WHERE experiment_id = :id", id=huge) == [("out_of_memory",)]
    assert lab.finish(lab.submit(budget={"steps": 20})) == "succeeded"


def test_wake_ups_that_nobody_needs_are_harmless(lab: "Lab") -> None:
    worker = lab.worker()
    assert lab.finish(lab.submit(budget={"steps": 20})) == "succeeded"
    broker.wake(lab.settings, ["cpu"], 30)
    with broker.make_celery(lab.settings) as app:
        app.send_task("batchlab.unknown", queue="cpu")
        app.send_task(broker.TASK, queue="cpu", args=["rm", "-rf", "/"])
        app.send_task(broker.TASK, queue="cpu", serializer="pickle")
    lab.until(lambda: lab.messages("cpu") == 0)
    assert lab.finish(lab.submit(budget={"steps": 20})) == "succeeded"
    assert worker.status is None
    assert lab.scalar("SELECT count(*) FROM slices") == 2


def test_whoever_takes_a_dead_workers_place_frees_its_work_at_once(lab: "Lab") -> None:
    unending = {"BATCHLAB_LEASE_SECONDS": "3600"}
    dead = lab.worker(**unending, name="one")
    experiment = lab.submit(budget={"steps": 8000})
    lab.until(lambda: lab.steps(experiment) > 500)
    dead.kill()
    other = lab.worker(**unending, name="other", BATCHLAB_PREDECESSOR=f"{dead.pid}:lost")
    lab.until(lambda: other.lines("predecessor"))
    assert lab.ask("SELECT status, losses FROM cohorts") == [("running", 0)]
    successor = lab.worker(**unending, name="one", BATCHLAB_PREDECESSOR=f"{dead.pid}:lost")
    lab.until(lambda: successor.lines("predecessor"))
    assert (other.lines("predecessor")[0]["freed"], successor.lines("predecessor")[0]["freed"]) == (0, 1)
    assert lab.finish(experiment) == "succeeded"


def test_a_cell_for_which_the_memory_never_suffices_fails_as_out_of_memory(lab: "Lab") -> None:
    experiment = lab.submit()
    before: dict[str, str] = {}
    for _ in range(lab.settings.max_losses):
        worker = lab.worker(name="one", BATCHLAB_CRASH_AT="before-block:1", **before)
        assert worker.wait() == 137
        before = {"BATCHLAB_PREDECESSOR": f"{worker.pid}:out_of_memory"}
        lab.hurry()
    lab.worker(name="one", **before)
    assert lab.finish(experiment) == "failed"
    assert lab.ask("SELECT cause, steps_done FROM cells") == [("out_of_memory", 0)]
