"""What users do to experiments: post, cancel, pause, resume, retry, add seeds, change, delete."""

from collections.abc import Callable

import pytest
from batchlab.errors import TooLargeError
from batchlab.plan import WorkLimits, plan
from batchlab.spec import parse_spec
from batchlab_db import claims, experiments, submitting
from batchlab_db.engine import transact
from batchlab_db.errors import KeyReused, NotAllowed, NotFound
from batchlab_db.purging import purge_batch, purge_old
from batchlab_db.reconcile import reconcile
from kit import LIMITS, Bench, block, document, stretch
from sqlalchemy import Engine

Act = Callable[[Engine, str], None]


def post(bench: Bench, key: str | None = None, body: str = "body", **changes: object) -> experiments.Submitted:
    spec = parse_spec(document(**changes))
    return experiments.submit(bench.engine, spec, plan(spec, LIMITS), key=key, body_sha256=body)


def test_a_post_stores_the_spec_its_cells_and_the_names_of_what_they_measure(bench: Bench) -> None:
    made = post(bench, name="sweep", tags=["a", "b"], batch_sizes=[4, "10%"], seeds=2, priority=3)
    row = bench.experiment(made.id)
    assert made.created
    assert len(made.id) == 12
    assert (row["name"], row["tags"], row["priority"], row["cells_total"]) == ("sweep", ["a", "b"], 3, 4)
    assert row["spec"]["batch_sizes"] == [4, "10%"]
    assert row["metrics"]["loss"] == "nats"
    assert "grad_norm/linear.weight" in row["metrics"]
    points = [(cell["ordinal"], cell["batch_size"], cell["seed"], cell["status"]) for cell in bench.cells(made.id)]
    assert points == [(0, 4, 0, "queued"), (1, 4, 1, "queued"), (2, 80, 0, "queued"), (3, 80, 1, "queued")]


def test_the_same_key_and_body_make_one_experiment(bench: Bench) -> None:
    first = post(bench, "k")
    again = post(bench, "k")
    assert again == experiments.Submitted(first.id, created=False)
    assert bench.one("SELECT count(*) FROM experiments") == 1


def test_the_same_key_with_another_body_is_refused(bench: Bench) -> None:
    post(bench, "k")
    with pytest.raises(KeyReused, match="new key"):
        post(bench, "k", body="another")


def test_a_post_that_is_run_again_after_a_lost_answer_makes_one_experiment(bench: Bench) -> None:
    made = post(bench, "k")
    spec = parse_spec(document())
    row = dict(bench.experiment(made.id))
    for given in ({"key": "k", "body_sha256": "body", "experiment_id": made.id}, None):
        again = transact(
            bench.engine, lambda c, given=given: submitting._submit(c, row, plan(spec, LIMITS).cells, given)
        )
        assert again == experiments.Submitted(made.id, created=True)
    assert bench.one("SELECT count(*) FROM cells") == 1


def test_cancel_ends_it_and_keeps_what_is_stored(bench: Bench) -> None:
    experiment = bench.submit(seeds=3)
    me = bench.worker()
    bench.finish(bench.hold(me))
    bench.record(bench.hold(me), block(stretch(0, 2)))
    experiments.cancel(bench.engine, experiment)
    cells = bench.cells(experiment)
    assert [cell["status"] for cell in cells] == ["succeeded", "cancelled", "cancelled"]
    assert [cell["steps_done"] for cell in cells] == [6, 2, 0]
    assert bench.stored_steps(cells[1]["id"]) == [1, 2]
    assert bench.experiment(experiment)["outcome"] == "cancelled"
    assert bench.claim(me) is None


def test_a_paused_experiment_is_not_claimed_and_goes_on_from_its_checkpoint(bench: Bench) -> None:
    experiment = bench.submit()
    me = bench.worker()
    bench.record(bench.hold(me), block(stretch(0, 2)), b"after two")
    experiments.pause(bench.engine, experiment)
    assert [cell["status"] for cell in bench.cells(experiment)] == ["queued"]
    assert bench.claim(me) is None
    experiments.resume(bench.engine, experiment)
    again = bench.hold(me)
    assert again.checkpoint == b"after two"
    bench.finish(again)
    assert bench.experiment(experiment)["outcome"] == "succeeded"


def test_a_pause_is_no_loss(bench: Bench) -> None:
    experiment = bench.submit()
    me = bench.worker()
    for _ in range(5):
        lease = bench.hold(me)
        experiments.pause(bench.engine, experiment)
        experiments.resume(bench.engine, experiment)
    assert bench.cohort(lease)["losses"] == 0


def test_retry_runs_again_only_what_failed_and_from_the_beginning(bench: Bench) -> None:
    experiment = bench.submit(seeds=3)
    me = bench.worker()
    bench.finish(bench.hold(me))
    broken = bench.hold(me)
    bench.record(broken, block(stretch(0, 3)))
    claims.fail(bench.engine, broken, "code_error", "wrong")
    bench.record(bench.hold(me), block(stretch(0, 2, "diverged")))
    assert bench.experiment(experiment)["outcome"] == "failed"
    experiments.retry(bench.engine, experiment)
    row = bench.experiment(experiment)
    assert (row["outcome"], row["error"], row["finished_at"]) == (None, None, None)
    assert [cell["status"] for cell in bench.cells(experiment)] == ["succeeded", "queued", "diverged"]
    again = bench.hold(me)
    assert again.cohort_id != broken.cohort_id
    assert again.checkpoint is None
    bench.finish(again)
    cell = bench.cells(experiment)[1]
    assert (cell["status"], cell["cause"], cell["message"], cell["rewind"]) == ("succeeded", None, None, 1)
    assert bench.stored_steps(cell["id"]) == [1, 2, 3, 4, 5, 6]
    assert bench.experiment(experiment)["outcome"] == "succeeded"


def test_a_cancelled_experiment_can_be_retried(bench: Bench) -> None:
    experiment = bench.submit()
    experiments.pause(bench.engine, experiment)
    experiments.cancel(bench.engine, experiment)
    experiments.retry(bench.engine, experiment)
    bench.finish(bench.hold())
    assert bench.experiment(experiment)["outcome"] == "succeeded"


def queued(bench: Bench) -> str:
    return bench.submit()


def running(bench: Bench) -> str:
    experiment = bench.submit()
    bench.hold()
    return experiment


def paused(bench: Bench) -> str:
    experiment = running(bench)
    experiments.pause(bench.engine, experiment)
    return experiment


def succeeded(bench: Bench) -> str:
    experiment = bench.submit()
    bench.finish(bench.hold())
    return experiment


def failed(bench: Bench) -> str:
    experiment = bench.submit()
    claims.fail(bench.engine, bench.hold(), "code_error", "wrong")
    return experiment


def cancelled(bench: Bench) -> str:
    experiment = running(bench)
    experiments.cancel(bench.engine, experiment)
    return experiment


ALLOWED: dict[Callable[[Bench], str], set[str]] = {
    queued: {"cancel", "pause", "delete"},
    running: {"cancel", "pause"},
    paused: {"cancel", "pause", "resume", "delete"},
    succeeded: {"delete"},
    failed: {"retry", "delete"},
    cancelled: {"cancel", "retry", "delete"},
}


@pytest.mark.parametrize("state", list(ALLOWED), ids=lambda state: state.__name__)
@pytest.mark.parametrize("name", ["cancel", "pause", "resume", "retry", "delete"])
def test_each_action_is_allowed_exactly_where_it_makes_sense(
    bench: Bench, state: Callable[[Bench], str], name: str
) -> None:
    experiment = state(bench)
    act: Act = getattr(experiments, name)
    if name in ALLOWED[state]:
        act(bench.engine, experiment)
    else:
        version = bench.experiment(experiment)["version"]
        with pytest.raises(NotAllowed):
            act(bench.engine, experiment)
        assert bench.experiment(experiment)["version"] == version


@pytest.mark.parametrize("name", ["cancel", "pause"])
def test_asking_twice_is_no_error(bench: Bench, name: str) -> None:
    experiment = paused(bench)
    act: Act = getattr(experiments, name)
    act(bench.engine, experiment)
    act(bench.engine, experiment)


@pytest.mark.parametrize("name", ["cancel", "pause", "resume", "retry", "delete", "patch"])
def test_what_is_not_there_is_not_found(bench: Bench, name: str) -> None:
    gone = bench.submit()
    experiments.delete(bench.engine, gone)
    act: Act = getattr(experiments, name)
    for experiment in ("nothing", gone):
        with pytest.raises(NotFound, match=experiment):
            act(bench.engine, experiment)


def test_more_seeds_go_on_after_the_last_cell_and_open_a_finished_experiment_again(bench: Bench) -> None:
    experiment = bench.submit(batch_sizes=[4, 8])
    me = bench.worker()
    for _ in range(2):
        bench.finish(bench.hold(me))
    assert experiments.add_seeds(bench.engine, experiment, 2, LIMITS) == 4
    cells = [(cell["ordinal"], cell["batch_size"], cell["seed"]) for cell in bench.cells(experiment)]
    assert cells == [(0, 4, 0), (1, 8, 0), (2, 4, 1), (3, 4, 2), (4, 8, 1), (5, 8, 2)]
    row = bench.experiment(experiment)
    assert (row["outcome"], row["cells_total"], row["updates_total"], row["spec"]["seeds"]) == (None, 6, 36, 3)
    for _ in range(4):
        bench.finish(bench.hold(me))
    assert bench.experiment(experiment)["outcome"] == "succeeded"


def test_more_seeds_than_the_lab_allows_are_refused_with_the_numbers(bench: Bench) -> None:
    experiment = bench.submit()
    with pytest.raises(TooLargeError, match="4 cells are over this lab's limit of 3"):
        experiments.add_seeds(bench.engine, experiment, 3, WorkLimits(max_cells=3, max_updates=10**9))
    assert len(bench.cells(experiment)) == 1


def test_a_cancelled_experiment_takes_no_more_seeds(bench: Bench) -> None:
    experiment = cancelled(bench)
    with pytest.raises(NotAllowed, match="retry it first"):
        experiments.add_seeds(bench.engine, experiment, 1, LIMITS)


def test_name_tags_and_note_can_be_changed_one_by_one(bench: Bench) -> None:
    experiment = post(bench, name="old", tags=["x"], note="n").id
    experiments.patch(bench.engine, experiment, name="new")
    experiments.patch(bench.engine, experiment, tags=[])
    row = bench.experiment(experiment)
    assert (row["name"], row["tags"], row["note"], row["version"]) == ("new", [], "n", 2)


def test_a_deleted_experiment_is_purged_in_batches_and_leaves_nothing(bench: Bench) -> None:
    kept, gone = bench.submit(), post(bench, "k", seeds=2).id
    me = bench.worker()
    for _ in range(3):
        bench.finish(bench.hold(me))
    experiments.delete(bench.engine, gone)
    reconcile(bench.engine, bench.settings)
    assert [row["id"] for row in bench.sql("SELECT id FROM experiments")] == [kept]
    for table in ("cells", "cohorts", "checkpoints", "slices"):
        assert bench.one(f"SELECT count(*) FROM {table}") == 1
    assert bench.one("SELECT count(DISTINCT cell_id) FROM series_blocks") == 1
    assert post(bench, "k").created
    assert transact(bench.engine, purge_batch) == 0


def test_old_keys_and_old_workers_are_forgotten_and_young_ones_kept(bench: Bench) -> None:
    for key in ("old", "young"):
        post(bench, key)
    old, young = bench.worker(), bench.worker()
    bench.sql("UPDATE idempotency_keys SET created_at = clock_timestamp() - interval '8 days' WHERE key = 'old'")
    bench.sql("UPDATE workers SET heartbeat_at = clock_timestamp() - interval '2 days' WHERE id = :id", id=old.id)
    transact(bench.engine, purge_old)
    assert [row["key"] for row in bench.sql("SELECT key FROM idempotency_keys")] == ["young"]
    assert [row["id"] for row in bench.sql("SELECT id FROM workers")] == [young.id]


def test_everything_a_reader_may_see_raises_the_version(bench: Bench) -> None:
    experiment = bench.submit()
    seen = [bench.experiment(experiment)["version"]]

    def changed() -> bool:
        seen.append(bench.experiment(experiment)["version"])
        return bool(seen[-1] > seen[-2])

    lease = bench.hold()
    assert changed()
    bench.record(lease, block(stretch(0, 2)))
    assert changed()
    claims.hand_on(bench.engine, lease)
    assert changed()
    for name in ("pause", "resume", "cancel", "retry", "cancel", "delete"):
        getattr(experiments, name)(bench.engine, experiment)
        assert changed(), name
