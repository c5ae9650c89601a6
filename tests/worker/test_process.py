"""A worker process from its start to its end."""

import signal
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from batchlab_db import experiments, migrate
from batchlab_worker import app
from batchlab_worker.heartbeat import beat
from batchlab_worker.supervisor import EX_CONFIG

if TYPE_CHECKING:
    from conftest import Lab


def test_every_cell_is_trained_and_each_slice_leaves_one_line_in_the_log(lab: "Lab") -> None:
    worker = lab.worker()
    experiment = lab.submit(batch_sizes=[4, 16], seeds=2, budget={"steps": 1500})
    assert lab.finish(experiment) == "succeeded"
    assert lab.steps(experiment) == 4 * 1500
    slices = lab.ask("SELECT cohort_id, epoch, outcome, updates FROM slices ORDER BY id")
    lab.until(lambda: len(worker.lines("slice")) == len(slices))
    keys = ("cohort", "epoch", "outcome", "updates")
    assert [tuple(line[key] for key in keys) for line in worker.lines("slice")] == [tuple(row) for row in slices]
    assert {line["experiment"] for line in worker.lines("slice")} == {experiment}


def test_a_worker_says_what_it_is_and_does(lab: "Lab") -> None:
    lab.worker()
    (row,) = lab.until(lambda: lab.ask("SELECT * FROM workers"))
    assert (row.device, row.queues, row.state) == ("cpu", ["cpu"], "idle")
    assert {"sectors", "digits"} <= set(row.datasets) and "mnist" not in row.datasets
    assert row.fingerprint["threads"] == 1
    experiment = lab.submit(budget={"steps": 8000})
    lab.until(lambda: lab.scalar("SELECT state FROM workers") == "busy")
    lab.until(lambda: lab.ask("SELECT FROM workers w JOIN cohorts c ON c.id = w.cohort_id AND c.worker_id = w.id"))
    lab.finish(experiment)
    lab.until(lambda: lab.scalar("SELECT state FROM workers") == "idle")
    assert lab.scalar("SELECT (speeds ->> 'reference')::float FROM workers") > 0


def test_a_stopped_worker_hands_on_what_it_has_and_is_gone(lab: "Lab") -> None:
    worker = lab.worker()
    experiment = lab.submit(budget={"steps": 20_000})
    lab.until(lambda: lab.steps(experiment) > 500)
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    (cohort,) = lab.ask("SELECT status, losses, not_before, lease_until FROM cohorts")
    assert (cohort.status, cohort.losses, cohort.lease_until) == ("ready", 0, None)
    assert lab.ask("SELECT outcome FROM slices ORDER BY id DESC LIMIT 1") == [("stopped",)]
    assert lab.ask("SELECT FROM workers") == []
    checkpoint = lab.scalar("SELECT (steps ->> '0')::int FROM checkpoints")
    assert checkpoint == lab.steps(experiment) > 500


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_worker_leaves_when_it_is_asked_to(lab: "Lab", number: signal.Signals) -> None:
    worker = lab.worker()
    lab.until(lambda: lab.ask("SELECT FROM workers"))
    worker.send(number)
    assert worker.wait() == 0
    assert lab.ask("SELECT FROM workers") == []


def test_a_worker_makes_way_for_a_fresh_process_and_wakes_it(lab: "Lab") -> None:
    old = lab.worker(BATCHLAB_RECYCLE_SLICES="2")
    experiment = lab.submit(batch_sizes=[4, 8, 16], budget={"steps": 300})
    assert old.wait() == 0
    assert len(old.lines("slice")) == 2
    lab.worker()
    assert lab.finish(experiment) == "succeeded"


def test_a_worker_for_gpus_alone_refuses_to_start_without_one(lab: "Lab") -> None:
    worker = lab.worker(CUDA_VISIBLE_DEVICES="", queues="gpu")
    assert worker.wait() == EX_CONFIG
    assert "add cpu to its queues" in worker.lines("misconfigured")[0]["error"]


def test_a_worker_waits_for_the_schema(lab: "Lab") -> None:
    with lab.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    worker = lab.worker()
    lab.until(lambda: worker.lines("waiting for the database to be up and migrated"))
    migrate.upgrade(lab.settings.database_url.get_secret_value())
    assert lab.finish(lab.submit(budget={"steps": 100})) == "succeeded"


def test_the_logs_hold_no_password(lab: "Lab") -> None:
    plain = lab.environment["BATCHLAB_BROKER_URL"]
    lab.environment["BATCHLAB_BROKER_URL"] = plain.replace("redis+socket://", "redis+socket://default@")
    worker = lab.worker(BATCHLAB_BROKER_PASSWORD="hunter2")
    assert lab.finish(lab.submit(budget={"steps": 100})) == "succeeded"
    worker.send(signal.SIGTERM)
    worker.wait()
    said = worker.log.read_text()
    assert "Connected to redis+socket" in said
    assert "hunter2" not in said


def test_work_is_shared_fairly_between_experiments_and_workers(lab: "Lab") -> None:
    first, second = (lab.submit(batch_sizes=[4, 8, 16], budget={"steps": 4000}) for _ in range(2))
    for worker in (lab.worker(), lab.worker()):
        assert worker.status is None
    assert {lab.finish(first), lab.finish(second)} == {"succeeded"}
    order = [row.experiment_id for row in lab.ask("SELECT experiment_id FROM slices ORDER BY id")]
    turns = sum(a != b for a, b in pairwise(order))
    assert turns >= len(order) // 2
    by_worker = lab.ask("SELECT worker_id, sum(updates) AS n FROM slices GROUP BY worker_id")
    assert len(by_worker) == 2
    assert all(row.n > 2000 for row in by_worker)


def test_below_the_disk_gate_nothing_is_claimed(bench: Any, lab: "Lab", monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = lab.submit(budget={"steps": 50})
    full = bench.settings.model_copy(update={"database_volume": lab.settings.home.parent})
    monkeypatch.setattr(bench, "settings", full.model_copy(update={"free_bytes_pause": 1 << 62}))
    app.work(bench)
    beat(bench)
    assert lab.scalar("SELECT state FROM workers") == "paused: disk"
    assert lab.steps(experiment) == 0
    monkeypatch.undo()
    beat(bench)
    assert lab.scalar("SELECT state FROM workers") == "idle"
    app.work(bench)
    assert bench.control.state == "idle"
    assert lab.outcome(experiment) == "succeeded"


def test_a_worker_hears_of_work_that_was_there_before_it(lab: "Lab") -> None:
    experiment = lab.submit(budget={"steps": 100})
    lab.forget_messages()
    lab.worker()
    assert lab.finish(experiment) == "succeeded"


def test_cancelling_stops_the_training_and_keeps_the_curve(lab: "Lab") -> None:
    worker = lab.worker()
    experiment = lab.submit(budget={"steps": 200_000})
    lab.until(lambda: lab.steps(experiment) > 500)
    experiments.cancel(lab.engine, experiment)
    kept = lab.steps(experiment)
    lab.until(lambda: [line for line in worker.lines("slice") if line["outcome"] == "fenced"])
    time.sleep(3 * lab.settings.block_seconds)
    assert lab.steps(experiment) == kept > 0
    assert lab.ask("SELECT max(last) FROM series_blocks WHERE metric = 'loss'") == [(kept,)]
