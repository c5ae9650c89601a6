"""The reconciler: rescue, loss budget, wake-ups sent again, and going on whatever fails."""

from datetime import timedelta

import pytest
from batchlab_db import broker, claims, experiments, facts, rescue, workers
from batchlab_db.demand import demand
from batchlab_db.errors import NotAllowed
from batchlab_db.reconcile import reconcile, thread
from kit import Bench, block, stretch
from redis import Redis
from sqlalchemy import Connection


def lose(bench: Bench, lease: claims.Lease) -> None:
    """The holder is gone, its lease is over, and the wait after it too."""
    bench.expire(lease)
    assert reconcile(bench.engine, bench.settings).rescued == 1
    bench.sql("UPDATE cohorts SET not_before = NULL")


def test_a_lost_lease_is_rescued_once(bench: Bench) -> None:
    experiment = bench.submit()
    lease = bench.hold()
    assert reconcile(bench.engine, bench.settings).rescued == 0
    bench.expire(lease)
    assert reconcile(bench.engine, bench.settings).rescued == 1
    assert reconcile(bench.engine, bench.settings).rescued == 0
    assert [cell["status"] for cell in bench.cells(experiment)] == ["queued"]
    assert bench.one("SELECT outcome FROM slices") == "lost"
    assert bench.cohort(lease)["epoch"] > lease.epoch


def test_a_cohort_that_cannot_be_rescued_stops_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.submit(seeds=2)
    bad, good = bench.hold(), bench.hold()
    bench.expire(bad), bench.expire(good)

    def failing(connection: Connection, cohort: int, most: int) -> bool:
        if cohort == bad.cohort_id:
            raise NotAllowed("never")
        return rescue.rescue(connection, cohort, most)

    monkeypatch.setattr("batchlab_db.reconcile.rescue", failing)
    report = reconcile(bench.engine, bench.settings)
    assert (report.rescued, report.errors) == (1, 1)
    assert bench.cohort(good)["status"] == "ready"


def test_a_row_without_a_lease_time_is_rescued_too(bench: Bench) -> None:
    bench.submit()
    bench.hold()
    bench.sql("UPDATE cohorts SET lease_until = NULL")
    assert reconcile(bench.engine, bench.settings).rescued == 1


def test_three_losses_without_progress_fail_the_cohort_and_nothing_else(bench: Bench) -> None:
    experiment = bench.submit(seeds=2)
    me = bench.worker()
    bench.finish(bench.hold(me))
    for _ in range(bench.settings.max_losses):
        lease = bench.hold(me)
        lose(bench, lease)
    good, bad = bench.cells(experiment)
    assert (good["status"], bad["status"], bad["cause"]) == ("succeeded", "failed", "lost")
    assert "3 times without progress, last on here, in restore" in bad["message"]
    assert bench.experiment(experiment)["outcome"] == "failed"
    assert bench.claim(me) is None


def test_a_checkpoint_gives_the_losses_back(bench: Bench) -> None:
    experiment = bench.submit()
    me = bench.worker()
    for done in range(5):
        for _ in range(2):
            lose(bench, bench.hold(me))
        lease = bench.hold(me)
        bench.record(lease, block(stretch(done, done + 1)))
        lose(bench, lease)
    bench.finish(bench.hold(me))
    assert bench.experiment(experiment)["outcome"] == "succeeded"


def test_blocks_without_a_checkpoint_are_no_progress(bench: Bench) -> None:
    experiment = bench.submit()
    me = bench.worker()
    for _ in range(3):
        lease = bench.hold(me)
        bench.record(lease, block(stretch(0, 2)), None)
        lose(bench, lease)
    assert bench.experiment(experiment)["outcome"] == "failed"


def test_a_holder_that_gives_up_costs_a_loss_and_says_why(bench: Bench) -> None:
    experiment = bench.submit()
    me = bench.worker()
    for _ in range(3):
        claims.give_up(bench.engine, bench.hold(me), bench.settings, "the device failed")
        bench.sql("UPDATE cohorts SET not_before = NULL")
    [cell] = bench.cells(experiment)
    assert (cell["status"], cell["cause"]) == ("failed", "lost")
    assert cell["message"].endswith("the device failed")


def test_the_wait_grows_with_the_losses(bench: Bench) -> None:
    bench.submit()
    me = bench.worker()
    waits = []
    for _ in range(2):
        lease = bench.hold(me)
        bench.expire(lease)
        reconcile(bench.engine, bench.settings)
        row = bench.cohort(lease)
        waits.append(row["not_before"] - row["ready_since"])
        bench.sql("UPDATE cohorts SET not_before = NULL")
    assert timedelta(seconds=1.5) <= waits[0] <= timedelta(seconds=2.6)
    assert timedelta(seconds=3) <= waits[1] <= timedelta(seconds=5.1)


def test_a_database_clock_that_was_set_back_does_not_freeze_a_cohort(bench: Bench) -> None:
    bench.submit()
    lease = bench.hold()
    bench.sql("UPDATE cohorts SET lease_until = clock_timestamp() + interval '1 day'")
    assert reconcile(bench.engine, bench.settings).rescued == 0
    limit = "SELECT lease_until <= clock_timestamp() + make_interval(secs => :seconds) FROM cohorts"
    assert bench.one(limit, seconds=bench.settings.lease_seconds)
    claims.renew(bench.engine, lease, "train")


def test_a_row_that_cannot_be_rescued_stops_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first page is full of rows that a trigger makes raise."""
    monkeypatch.setattr("batchlab_db.reconcile.PAGE", 2)
    bench.submit(seeds=4)
    leases = [bench.hold() for _ in range(4)]
    for lease in leases:
        bench.expire(lease)
    bench.sql(
        "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF OLD.id <= {leases[1].cohort_id} THEN RAISE 'poison'; END IF; RETURN NEW; END $$"
    )
    bench.sql("CREATE TRIGGER poison BEFORE UPDATE ON cohorts FOR EACH ROW EXECUTE FUNCTION poison()")
    report = reconcile(bench.engine, bench.settings)
    assert (report.rescued, report.errors) == (2, 2)
    with bench.engine.connect() as connection:
        assert facts.get(connection, "reconciler") is not None


def test_a_row_that_is_being_written_is_left_alone(bench: Bench) -> None:
    bench.submit()
    lease = bench.hold()
    bench.expire(lease)
    with bench.engine.begin() as writer:
        writer.exec_driver_sql("SELECT FROM cohorts FOR UPDATE")
        assert reconcile(bench.engine, bench.settings).rescued == 0


def test_counters_tell_how_often_it_acted(bench: Bench) -> None:
    bench.submit(seeds=2)
    me = bench.worker()
    for _ in range(2):
        lose(bench, bench.hold(me))
    with bench.engine.connect() as connection:
        assert facts.counters(connection)["rescues_total"] == 2
        assert facts.get(connection, "nothing") is None


def test_a_lost_wake_up_is_sent_again_but_not_all_the_time(bench: Bench, settings_redis: Redis) -> None:
    bench.submit(seeds=3, device="cpu")
    assert reconcile(bench.engine, bench.settings).resent == 0  # nobody is there to be woken
    for _ in range(2):
        bench.worker()
    assert reconcile(bench.engine, bench.settings).resent == 2
    assert reconcile(bench.engine, bench.settings).resent == 0
    bench.sql("UPDATE facts SET at = clock_timestamp() - interval '11 s' WHERE name = 'resend'")
    assert reconcile(bench.engine, bench.settings).resent == 2
    assert settings_redis.llen("cpu") == 4


def test_busy_workers_are_not_woken(bench: Bench) -> None:
    bench.submit()
    me = bench.worker()
    workers.heartbeat(bench.engine, me, state="busy")
    assert demand(bench.engine, bench.settings, idle=True) == {}
    assert demand(bench.engine, bench.settings) == {"cpu": 1, "gpu": 1}


def test_demand_is_bounded_by_work_and_by_workers(bench: Bench) -> None:
    assert demand(bench.engine, bench.settings) == {}
    bench.submit(seeds=5, device="cpu")
    assert demand(bench.engine, bench.settings) == {"cpu": 1}
    for _ in range(8):
        bench.worker()
    assert demand(bench.engine, bench.settings) == {"cpu": 5}
    paused = bench.submit(seeds=2, device="cuda")
    experiments.pause(bench.engine, paused)
    assert demand(bench.engine, bench.settings) == {"cpu": 5}
    experiments.resume(bench.engine, paused)
    assert demand(bench.engine, bench.settings) == {"cpu": 5, "gpu": 1}


def test_with_the_broker_away_the_rest_is_still_done(bench: Bench) -> None:
    away = bench.settings.model_copy(update={"broker_url": type(bench.settings.broker_url)("redis+socket:///nowhere")})
    bench.submit()
    lease = bench.hold()
    bench.worker()
    bench.submit()
    bench.expire(lease)
    report = reconcile(bench.engine, away)
    assert (report.rescued, report.resent, report.errors) == (1, 0, 0)


def test_the_thread_reconciles_until_it_is_stopped(bench: Bench) -> None:
    bench.submit()
    bench.expire(bench.hold())
    quick = bench.settings.model_copy(update={"reconcile_seconds": 0.01})
    running = thread(bench.engine, quick)
    running.start()
    while bench.one("SELECT count(*) FROM cohorts WHERE status = 'running'"):
        assert running.is_alive()
    running.stop()
    assert not running.is_alive()
    assert broker.TASK == "batchlab.slice"
