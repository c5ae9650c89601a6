"""Slices on real Postgres: claim, record, hand on, and every way of losing the cohort."""

import json
from collections.abc import Sequence

import pytest
from batchlab.cell import Cell
from batchlab_db import claims, experiments, workers
from batchlab_db.errors import Fenced
from batchlab_db.reconcile import reconcile
from kit import STEPS, Bench, Engines, block, stretch


def test_a_cell_goes_from_queued_to_succeeded(bench: Bench) -> None:
    experiment = bench.submit()
    lease = bench.hold()
    assert [cell["status"] for cell in bench.cells(experiment)] == ["running"]
    bench.record(lease, block(stretch(0, 3)))
    bench.record(lease, block(stretch(3, STEPS, "succeeded")))
    [cell] = bench.cells(experiment)
    assert (cell["status"], cell["steps_done"], cell["result"]) == ("succeeded", STEPS, {"val_loss": 0.25})
    assert bench.stored_steps(cell["id"]) == [1, 2, 3, 4, 5, 6]
    assert lease.finished
    assert bench.cohort(lease)["status"] == "done"
    row = bench.experiment(experiment)
    assert row["outcome"] == "succeeded"
    assert row["created_at"] <= row["started_at"] <= row["finished_at"]


def test_the_next_holder_goes_on_from_the_checkpoint(bench: Bench) -> None:
    bench.submit()
    first = bench.hold()
    assert first.checkpoint is None
    bench.record(first, block(stretch(0, 3)), b"after three")
    claims.hand_on(bench.engine, first)
    second = bench.hold()
    assert second.checkpoint == b"after three"
    assert [cell.steps_done for cell in second.cells] == [3]
    assert second.epoch > first.epoch


def test_a_large_checkpoint_comes_back_byte_for_byte(bench: Bench) -> None:
    bench.submit()
    large = bytes(range(256)) * 10_000
    for state in (large, large[:1_500_000], b""):
        lease = bench.hold()
        claims.hand_on(bench.engine, lease, state)
        assert bench.hold(bench.worker()).checkpoint == state
        bench.sql("UPDATE cohorts SET status = 'ready', worker_id = NULL")


def test_blocks_beyond_the_checkpoint_are_taken_back_and_readers_are_told(bench: Bench) -> None:
    experiment = bench.submit()
    lease = bench.hold()
    bench.record(lease, block(stretch(0, 2)), b"after two")
    bench.record(lease, block(stretch(2, 4)), None)
    claims.hand_on(bench.engine, lease)
    again = bench.hold()
    [cell] = bench.cells(experiment)
    assert bench.stored_steps(cell["id"]) == [1, 2]
    assert (cell["steps_done"], cell["rewind"]) == (2, 1)
    bench.record(again, block(stretch(2, STEPS, "succeeded")))
    assert bench.stored_steps(cell["id"]) == [1, 2, 3, 4, 5, 6]


def test_without_a_checkpoint_everything_is_taken_back_also_step_0(bench: Bench) -> None:
    experiment = bench.submit()
    lease = bench.hold()
    bench.record(lease, block(stretch(0, 2)), None)
    claims.hand_on(bench.engine, lease)
    bench.hold()
    assert bench.one("SELECT count(*) FROM series_blocks") == 0
    [cell] = bench.cells(experiment)
    assert (cell["steps_done"], cell["rewind"]) == (0, 1)


def test_a_damaged_checkpoint_is_not_loaded(bench: Bench) -> None:
    bench.submit()
    lease = bench.hold()
    bench.record(lease, block(stretch(0, 2)), b"after two")
    claims.hand_on(bench.engine, lease)
    bench.sql("UPDATE checkpoint_parts SET data = 'after tw0'")
    again = bench.hold()
    assert again.checkpoint is None
    assert [cell.steps_done for cell in again.cells] == [0]
    assert bench.stored_steps(again.cells[0].id) == []


def test_when_the_state_comes_with_each_block_nothing_is_rewound(bench: Bench) -> None:
    experiment = bench.submit()
    for done in range(3):
        lease = bench.hold()
        bench.record(lease, block(stretch(done, done + 1)))
        bench.expire(lease)
        assert reconcile(bench.engine, bench.settings).rescued == 1
    assert [cell["rewind"] for cell in bench.cells(experiment)] == [0]


@pytest.mark.parametrize("undo", [experiments.cancel, experiments.pause])
def test_after_cancel_and_pause_the_holder_writes_nothing(bench: Bench, undo: object) -> None:
    experiment = bench.submit()
    lease = bench.hold()
    bench.record(lease, block(stretch(0, 2)))
    undo(bench.engine, experiment)
    before = everything(bench)
    for write in writes(bench, lease):
        with pytest.raises(Fenced):
            write()
    assert everything(bench) == before


def test_a_holder_that_comes_back_after_its_successor_changes_nothing(bench: Bench) -> None:
    bench.submit()
    late = bench.hold()
    bench.record(late, block(stretch(0, 2)))
    bench.expire(late)
    reconcile(bench.engine, bench.settings)
    successor = bench.hold()
    bench.record(successor, block(stretch(2, 4)))
    before = everything(bench)
    for write in writes(bench, late):
        with pytest.raises(Fenced):
            write()
    assert everything(bench) == before


def writes(bench: Bench, lease: claims.Lease) -> list[object]:
    """Everything that a holder may try to write."""
    engine = bench.engine
    return [
        lambda: bench.record(lease, block(stretch(2, 5)), b"later"),
        lambda: bench.record(lease, block(stretch(2, STEPS, "succeeded")), b"last"),
        lambda: claims.renew(engine, lease, "train"),
        lambda: claims.hand_on(engine, lease, b"later"),
        lambda: claims.fail(engine, lease, "code_error", "late"),
    ]


def test_giving_up_what_was_rescued_meanwhile_costs_nothing_more(bench: Bench) -> None:
    bench.submit()
    late = bench.hold()
    bench.expire(late)
    reconcile(bench.engine, bench.settings)
    before = everything(bench)
    claims.give_up(bench.engine, late, bench.settings, "its device failed")
    assert everything(bench) == before


def everything(bench: Bench) -> list[object]:
    states, weights = ("checkpoints", "checkpoint_parts"), ("kept", "weights", "weight_parts")
    tables = ("experiments", "cohorts", "cells", *states, *weights, "series_blocks", "slices")
    return [bench.one(f"SELECT jsonb_agg(to_jsonb(t) ORDER BY to_jsonb(t)) FROM {table} t") for table in tables]


def test_a_slow_holder_that_nobody_replaced_may_go_on(bench: Bench) -> None:
    bench.submit()
    lease = bench.hold()
    bench.expire(lease)
    claims.renew(bench.engine, lease, "train")
    assert reconcile(bench.engine, bench.settings).rescued == 0
    bench.record(lease, block(stretch(0, 2)))


def test_a_failure_carries_its_cause_and_ends_the_experiment(bench: Bench) -> None:
    experiment = bench.submit()
    claims.fail(bench.engine, bench.hold(), "out_of_memory", "needs 3 GB")
    [cell] = bench.cells(experiment)
    assert (cell["status"], cell["cause"], cell["message"]) == ("failed", "out_of_memory", "needs 3 GB")
    row = bench.experiment(experiment)
    assert (row["outcome"], row["error"]) == ("failed", "needs 3 GB")


def test_a_diverged_cell_is_a_result(bench: Bench) -> None:
    experiment = bench.submit()
    bench.record(bench.hold(), block(stretch(0, 4, "diverged")))
    [cell] = bench.cells(experiment)
    assert (cell["status"], cell["steps_done"], cell["result"]) == ("diverged", 4, {"val_loss": None})
    assert bench.experiment(experiment)["outcome"] == "succeeded"


def test_cells_that_share_a_cohort_end_one_by_one_and_keep_their_places(bench: Bench) -> None:
    experiment = bench.submit(seeds=3)
    bench.sql("UPDATE cells SET stack_key = 'same'")
    bench.engines = Engines(size=8)
    lease = bench.hold()
    assert [cell.position for cell in lease.cells] == [0, 1, 2]
    bench.record(lease, block(stretch(0, 2), stretch(0, 2, "diverged"), stretch(0, 2), lease=lease))
    claims.hand_on(bench.engine, lease)
    again = bench.hold()
    assert [(cell.status, cell.steps_done) for cell in again.cells] == [("running", 2), ("diverged", 0), ("running", 2)]
    assert again.open == {0, 2}
    bench.finish(again)
    assert [cell["status"] for cell in bench.cells(experiment)] == ["succeeded", "diverged", "succeeded"]
    assert [cell["shared_with"] for cell in bench.cells(experiment)] == [2, 2, 2]
    assert again.finished


def test_nothing_is_claimed_where_nothing_waits(bench: Bench) -> None:
    me = bench.worker()
    assert bench.claim(me) is None
    bench.submit()
    assert claims.more_work(bench.engine, me, bench.settings)
    bench.finish(bench.hold(me))
    assert bench.claim(me) is None
    assert not claims.more_work(bench.engine, me, bench.settings)


def test_a_slice_says_what_became_of_it(bench: Bench) -> None:
    experiment = bench.submit(seeds=4)
    leases = [bench.hold() for _ in range(4)]
    bench.record(leases[0], block(stretch(0, 2)))
    claims.hand_on(bench.engine, leases[0])
    bench.finish(leases[1])
    claims.fail(bench.engine, leases[2], "code_error", "")
    experiments.cancel(bench.engine, experiment)
    rows = bench.sql("SELECT outcome, updates FROM slices ORDER BY id")
    assert [row["outcome"] for row in rows] == ["handed_on", "finished", "failed", "fenced"]
    assert [row["updates"] for row in rows] == [2, STEPS, 0, 0]


def test_a_change_of_library_at_a_resume_is_recorded_as_a_seam(bench: Bench) -> None:
    experiment = bench.submit()
    lease = bench.claim(bench.worker(), Engines(torch="2.12"))
    assert lease is not None
    bench.record(lease, block(stretch(0, 2)))
    claims.hand_on(bench.engine, lease)
    assert bench.claim(bench.worker(), Engines(torch="2.13")) is not None
    [cell] = bench.cells(experiment)
    assert cell["environment"]["torch"] == "2.13"
    assert cell["environment"]["seams"] == [{"step": 2, "before": {"torch": "2.12"}}]


def test_a_start_from_the_beginning_has_no_seam(bench: Bench) -> None:
    experiment = bench.submit()
    lease = bench.claim(bench.worker(), Engines(torch="2.12"))
    assert lease is not None
    bench.record(lease, block(stretch(0, 2)), None)
    claims.hand_on(bench.engine, lease)
    bench.claim(bench.worker(), Engines(torch="2.13"))
    [cell] = bench.cells(experiment)
    assert cell["environment"] == {"engine": "reference", "device": "cpu", "torch": "2.13", "seams": []}


def test_a_cell_that_cannot_be_read_fails_and_lets_the_others_pass(bench: Bench) -> None:
    experiment = bench.submit(seeds=2)
    bench.sql("""UPDATE cells SET point = jsonb_set(point, '{model,kind}', '"gone"') WHERE ordinal = 0""")
    lease = bench.hold()
    bad, good = bench.cells(experiment)
    assert (bad["status"], bad["cause"]) == ("failed", "code_error")
    assert lease.cells[0].id == good["id"]


def test_a_result_that_is_not_finite_is_refused_not_stored(bench: Bench) -> None:
    bench.submit()
    lease = bench.hold()
    bad = stretch(0, STEPS, "succeeded")
    object.__setattr__(bad.ending, "result", {"val_loss": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        bench.record(lease, block(bad))
    assert bench.one("SELECT count(*) FROM series_blocks") == 0


def test_a_renewal_leaves_no_index_entry_behind(bench: Bench) -> None:
    bench.submit()
    lease = bench.hold()
    for _ in range(5):
        claims.renew(bench.engine, lease, "train")
    bench.sql("SELECT pg_stat_force_next_flush()")
    hot = bench.sql("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'cohorts'")[0]
    assert hot["n_tup_hot_upd"] >= 5


def test_a_worker_rewrites_its_own_row(bench: Bench) -> None:
    me = bench.worker()
    workers.heartbeat(bench.engine, me, state="busy", cohort_id=7, speeds={"reference": 900.0})
    workers.heartbeat(bench.engine, me, state="idle")
    with bench.engine.connect() as connection:
        [row] = workers.everyone(connection)
        assert (row["state"], row["cohort_id"], row["speeds"]) == ("idle", None, {"reference": 900.0})
        assert row["age"] < 60
        assert [row["id"] for row in workers.living(connection, 30)] == [me.id]
    bench.sql("UPDATE workers SET heartbeat_at = clock_timestamp() - interval '31 s'")
    with bench.engine.connect() as connection:
        assert workers.living(connection, 30) == []
    workers.leave(bench.engine, me)
    assert bench.one("SELECT count(*) FROM workers") == 0


def test_a_point_comes_to_the_worker_as_it_was_posted(bench: Bench) -> None:
    bench.submit(batch_sizes=["10%"])
    [cell] = bench.hold().cells
    assert json.loads(json.dumps(cell.point))["batch_entry"] == "10%"
    assert cell.point["batch_size"] == 80


@pytest.mark.parametrize("size", [1, 15, 16, 17, 64, 65, 200])
def test_a_cohort_takes_as_many_cells_as_its_engine_says(bench: Bench, size: int) -> None:
    experiment = bench.submit(seeds=100)
    lease = bench.claim(bench.worker(), Engines(size))
    assert lease is not None
    taken = [cell["ordinal"] for cell in bench.cells(experiment) if cell["cohort_id"] == lease.cohort_id]
    assert taken == list(range(min(size, 100)))


def test_a_claim_looks_at_few_more_cells_than_it_takes(bench: Bench) -> None:
    class Counting(Engines):
        most = 0

        def choose(self, cells: Sequence[Cell], device: str) -> tuple[str, int]:
            self.most = max(self.most, len(cells))
            return super().choose(cells, device)

    engines = Counting(1)
    bench.submit(seeds=500)
    assert bench.claim(bench.worker(), engines) is not None
    assert engines.most < 50
