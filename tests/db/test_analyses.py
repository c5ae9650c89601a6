"""Analyses on real Postgres: asked for once, taken under leases, written behind a fence, lost and found."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from batchlab import state
from batchlab.analyses.base import Finding
from batchlab.engines.base import State
from batchlab.errors import SpecError
from batchlab_db import experiments, rescue
from batchlab_db.analyses import asking, counted, leases, reads
from batchlab_db.analyses.leases import AnalysisLease
from batchlab_db.demand import demand
from batchlab_db.errors import Fenced, NotAllowed, NotFound
from batchlab_db.reconcile import reconcile
from kit import STEPS, Bench, block, stretch
from test_kept import keeping
from test_lost_answers import one_answer_lost

TRACE = {"kind": "trace"}
FOUND = Finding({"trace": 2.5}, {"draws": np.arange(3.0)}, {"converged": True})


def trained(bench: Bench, **changes: Any) -> str:
    """An experiment whose cells have all been trained, with their last weights kept."""
    experiment = bench.submit(**changes)
    for cell in bench.cells(experiment):
        bench.record(bench.hold(), block(keeping(stretch(0, STEPS, "succeeded"), last=6, at=cell["ordinal"])))
    return experiment


def ask(bench: Bench, experiment: str, cells: Any = None, checkpoint: str | int = "last", **document: Any) -> list[str]:
    analysis = asking.ANALYSES.validate_python(TRACE | document)
    return asking.request(bench.engine, experiment, analysis, cells, checkpoint)


def claim(bench: Bench, **worker: Any) -> AnalysisLease | None:
    return leases.claim(bench.engine, bench.worker(**worker), bench.settings)


def hold(bench: Bench) -> AnalysisLease:
    lease = claim(bench)
    assert lease is not None
    return lease


def row(bench: Bench, analysis: str) -> Any:
    [found] = bench.sql("SELECT * FROM analyses WHERE id = :id", id=analysis)
    return found


def expire(bench: Bench) -> None:
    bench.sql("UPDATE analyses SET lease_until = clock_timestamp() - interval '1 s', not_before = NULL")


def test_an_analysis_goes_from_queued_to_succeeded(bench: Bench) -> None:
    experiment = trained(bench)
    [analysis] = ask(bench, experiment)
    assert row(bench, analysis)["status"] == "queued"
    lease = hold(bench)
    leases.record(bench.engine, lease, 0.25, b"a state")
    assert (row(bench, analysis)["status"], row(bench, analysis)["fraction"]) == ("running", 0.25)
    leases.finish(bench.engine, lease, FOUND)
    with bench.engine.connect() as connection:
        found = reads.one(connection, experiment, analysis)
        assert (found["status"], found["fraction"]) == ("succeeded", 1.0)
        assert (found["found"], found["meta"]) == ({"trace": 2.5}, {"converged": True})
        assert reads.arrays(connection, experiment, analysis)["draws"].tolist() == [0.0, 1.0, 2.0]
        assert reads.by_cell(connection, experiment) == {bench.cells(experiment)[0]["id"]: {"trace": {"trace": 2.5}}}
    assert bench.one("SELECT count(*) FROM analysis_parts WHERE what = 'state'") == 0
    assert claim(bench) is None


def test_what_was_asked_for_before_is_not_computed_again(bench: Bench) -> None:
    experiment = trained(bench, seeds=2)
    both = ask(bench, experiment)
    assert len(set(both)) == 2
    assert ask(bench, experiment) == both
    assert ask(bench, experiment, cells=[str(bench.cells(experiment)[1]["id"])]) == both[1:]
    assert ask(bench, experiment, checkpoint=6) == both  # the same weights
    assert set(ask(bench, experiment, seed=1)).isdisjoint(both)
    assert ask(bench, experiment, cells=[str(bench.cells(experiment)[1]["id"])], checkpoint=1) not in both


def test_what_failed_is_queued_again_from_its_beginning_when_it_is_asked_for_again(bench: Bench) -> None:
    experiment = trained(bench)
    [analysis] = ask(bench, experiment)
    lease = hold(bench)
    leases.record(bench.engine, lease, 0.5, b"a state")
    leases.fail(bench.engine, lease, "out_of_memory", "needs 3 GB")
    failed = row(bench, analysis)
    assert (failed["status"], failed["cause"], failed["message"]) == ("failed", "out_of_memory", "needs 3 GB")
    assert bench.experiment(experiment)["outcome"] == "succeeded"
    assert ask(bench, experiment) == [analysis]
    assert (row(bench, analysis)["status"], hold(bench).state_sha256) == ("queued", None)


def test_the_spec_asks_as_cells_end_and_for_several_cells_once_all_have(bench: Bench) -> None:
    experiment = bench.submit(analyses=[TRACE], seeds=2)
    first, second = bench.hold(), bench.hold()
    bench.record(first, block(keeping(stretch(0, STEPS, "succeeded"), last=6)))
    [asked] = bench.sql("SELECT * FROM analyses")
    assert [one["cell"] for one in asked["subjects"]] == [first.cells[0].id]
    bench.record(second, block(keeping(stretch(0, STEPS, "diverged"))))
    assert bench.one("SELECT count(*) FROM analyses") == 1
    assert bench.experiment(experiment)["outcome"] == "succeeded"
    assert ask(bench, experiment) == [asked["id"]]


@pytest.mark.parametrize("state", [None, b"no state"], ids=["absent", "damaged"])
def test_an_analysis_without_its_weights_has_failed_and_the_training_has_not(bench: Bench, state: Any) -> None:
    pair = {"kind": "interpolation"}
    experiment = bench.submit(analyses=[TRACE, pair], seeds=2)
    for _ in range(2):
        bench.record(bench.hold(), block(stretch(0, STEPS, "succeeded")), state)
    assert bench.experiment(experiment)["outcome"] == "succeeded"
    assert [cell["status"] for cell in bench.cells(experiment)] == ["succeeded"] * 2
    found = bench.sql("SELECT kind, status, cause, message FROM analyses ORDER BY created_at")
    assert [(one["kind"], one["status"], one["cause"]) for one in found] == [
        ("trace", "failed", "bad_data"), ("trace", "failed", "bad_data"), ("interpolation", "failed", "bad_data"),
    ]  # fmt: skip
    assert all(one["message"] for one in found)
    assert claim(bench) is None


def test_a_lost_cohort_fails_also_where_an_analysis_of_all_cells_cannot_be_done(bench: Bench) -> None:
    experiment = bench.submit(analyses=[{"kind": "barrier_matrix"}], seeds=3)
    for _ in range(2):
        bench.record(bench.hold(), block(keeping(stretch(0, STEPS, "succeeded"), last=6)), None)
    bench.sql("DELETE FROM kept")
    for _ in range(bench.settings.max_losses):
        bench.expire(bench.hold())
        assert reconcile(bench.engine, bench.settings).errors == 0
        bench.sql("UPDATE cohorts SET not_before = NULL")
    assert bench.experiment(experiment)["outcome"] == "failed"
    [asked] = bench.sql("SELECT * FROM analyses")
    assert (asked["status"], "are not there" in asked["message"]) == ("failed", True)


def test_a_block_whose_answer_was_lost_asks_once(bench: Bench) -> None:
    bench.submit(analyses=[TRACE])
    lease = bench.hold()
    with one_answer_lost(bench.engine):
        bench.record(lease, block(keeping(stretch(0, STEPS, "succeeded"), last=6)))
    assert bench.one("SELECT count(*) FROM analyses") == 1


def test_the_last_weights_come_from_the_training_state_where_none_were_kept(bench: Bench) -> None:
    experiment = bench.submit()
    data = state.to_bytes(State({"net/w": np.float32([1, 2]), "optimizer/0/m": np.zeros(2)}, {}))
    bench.record(bench.hold(), block(stretch(0, STEPS, "succeeded")), data)
    [analysis] = ask(bench, experiment)
    with bench.engine.connect() as connection:
        looked_at = reads.weights(connection, row(bench, analysis)["subjects"][0])
    assert {step: one["w"].tolist() for step, one in looked_at.items()} == {STEPS: [1.0, 2.0]}


def test_weights_that_are_kept_under_a_label_have_it_still_as_the_last(bench: Bench) -> None:
    experiment = bench.submit()
    data = state.to_bytes(State({"net/w": np.float32([1, 2])}, {}))
    bench.record(bench.hold(), block(keeping(stretch(0, STEPS, "succeeded"), trajectory=STEPS)), data)
    ask(bench, experiment), ask(bench, experiment, seed=1)
    assert bench.one("SELECT labels FROM kept") == ["trajectory", "last"]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (lambda b, e: ask(b, e, cells=["7777"]), NotFound),
        (lambda b, e: ask(b, "nowhere"), NotFound),
        (lambda b, e: ask(b, e, checkpoint=4), NotAllowed),
        (lambda b, e: ask(b, e, checkpoint="best_val_loss"), NotAllowed),
        (lambda b, e: ask(b, b.submit()), NotAllowed),
    ],
)
def test_what_cannot_be_analysed_is_refused(bench: Bench, request_: Callable[..., Any], error: type) -> None:
    experiment = trained(bench)
    with pytest.raises(error):
        request_(bench, experiment)
    assert bench.one("SELECT count(*) FROM analyses") == 0


def finish(bench: Bench, trace: float) -> None:
    leases.finish(bench.engine, hold(bench), Finding({"trace": trace}))


def counting(bench: Bench, experiment: str) -> dict[int, Any]:
    with bench.engine.connect() as connection:
        return counted.by_cell(connection, experiment)


def test_what_a_spec_asks_for_counts_whatever_is_asked_for_later(bench: Bench) -> None:
    experiment = trained(bench, analyses=[TRACE | {"seed": 1}])
    finish(bench, 2.5)
    for i, (seed, checkpoint) in enumerate([(2, "last"), (0, "last"), (1, "at")]):
        ask(bench, experiment, seed=seed, checkpoint=checkpoint)
        finish(bench, float(i))
    assert counting(bench, experiment) == {bench.cells(experiment)[0]["id"]: {"trace": {"trace": 2.5}}}


def test_of_a_kind_that_no_spec_asks_for_the_default_at_the_last_weights_counts(bench: Bench) -> None:
    experiment = trained(bench)
    for i, (seed, checkpoint) in enumerate([(1, "last"), (0, "at")]):
        ask(bench, experiment, seed=seed, checkpoint=checkpoint)
        finish(bench, float(i))
    assert counting(bench, experiment) == {}
    ask(bench, experiment)
    finish(bench, 2.5)
    assert counting(bench, experiment) == {bench.cells(experiment)[0]["id"]: {"trace": {"trace": 2.5}}}


def test_of_pairs_those_that_nobody_named_otherwise_count(bench: Bench) -> None:
    experiment = trained(bench, seeds=2)
    first, second = (str(cell["id"]) for cell in bench.cells(experiment))
    for barrier, pair in enumerate([[second, first], [first, second]]):
        ask(bench, experiment, cells=pair, kind="interpolation")
        leases.finish(bench.engine, hold(bench), Finding({"barrier": barrier}))
    assert counting(bench, experiment) == {int(first): {"interpolation": {"barrier": 1}}}


def writes(bench: Bench, lease: AnalysisLease) -> list[Callable[[], None]]:
    engine = bench.engine
    return [
        lambda: leases.renew(engine, lease, "analyse"),
        lambda: leases.record(engine, lease, 0.9, b"later"),
        lambda: leases.hand_on(engine, lease),
        lambda: leases.finish(engine, lease, FOUND),
        lambda: leases.give_up(engine, lease, bench.settings, "unfit"),
        lambda: leases.fail(engine, lease, "code_error", "late"),
    ]


def everything(bench: Bench) -> list[Any]:
    tables = ("experiments", "analyses", "analysis_parts")
    return [bench.one(f"SELECT jsonb_agg(to_jsonb(t) ORDER BY to_jsonb(t)) FROM {table} t") for table in tables]


def overtake(bench: Bench, experiment: str, lease: AnalysisLease) -> None:
    expire(bench)
    assert reconcile(bench.engine, bench.settings).rescued == 1
    expire(bench)
    hold(bench)


@pytest.mark.parametrize(
    "undo", [lambda b, e, a: reads.cancel(b.engine, e, a.id), overtake], ids=["cancel", "overtake"]
)
def test_a_holder_that_lost_its_analysis_writes_nothing(bench: Bench, undo: Callable[..., Any]) -> None:
    experiment = trained(bench)
    ask(bench, experiment)
    lease = hold(bench)
    leases.record(bench.engine, lease, 0.5, b"a state")
    undo(bench, experiment, lease)
    before = everything(bench)
    for write in writes(bench, lease):
        with pytest.raises(Fenced):
            write()
    assert everything(bench) == before


def test_deleting_the_experiment_fences_whoever_analyses_it(bench: Bench) -> None:
    experiment = trained(bench)
    ask(bench, experiment)
    lease = hold(bench)
    experiments.delete(bench.engine, experiment)
    with pytest.raises(Fenced):
        leases.finish(bench.engine, lease, FOUND)
    for _ in range(3):
        reconcile(bench.engine, bench.settings)
    tables = ("analyses", "analysis_parts", "kept", "weights")
    assert [bench.one(f"SELECT count(*) FROM {table}") for table in tables] == [0] * 4


def test_a_lost_analysis_goes_on_from_its_state(bench: Bench) -> None:
    experiment = trained(bench)
    ask(bench, experiment)
    first = hold(bench)
    leases.record(bench.engine, first, 0.5, b"half")
    expire(bench)
    assert reconcile(bench.engine, bench.settings).rescued == 1
    second = hold(bench)
    assert (second.epoch > first.epoch, second.state_sha256 is not None) == (True, True)
    leases.hand_on(bench.engine, second)
    assert hold(bench).state_sha256 == second.state_sha256


def test_three_losses_without_progress_fail_it_with_cause_and_message(bench: Bench) -> None:
    experiment = trained(bench)
    [analysis] = ask(bench, experiment)
    for _ in range(bench.settings.max_losses):
        hold(bench)
        expire(bench)
        reconcile(bench.engine, bench.settings)
        bench.sql("UPDATE analyses SET not_before = NULL")
    failed = row(bench, analysis)
    assert (failed["status"], failed["cause"]) == ("failed", "lost")
    assert "lost 3 times without progress" in failed["message"]


def test_progress_forgives_losses(bench: Bench) -> None:
    experiment = trained(bench)
    [analysis] = ask(bench, experiment)
    for i in range(2 * bench.settings.max_losses):
        leases.record(bench.engine, hold(bench), 0.1, bytes([i]))
        expire(bench)
        reconcile(bench.engine, bench.settings)
        bench.sql("UPDATE analyses SET not_before = NULL")
    assert (row(bench, analysis)["status"], row(bench, analysis)["losses"]) == ("queued", 0)


def test_the_analyses_of_a_dead_process_are_freed_at_once(bench: Bench) -> None:
    experiment = trained(bench)
    [analysis] = ask(bench, experiment)
    me = bench.worker(id="w0@here-abcd")
    assert leases.claim(bench.engine, me, bench.settings) is not None
    with bench.engine.begin() as connection:
        assert rescue.bury(connection, "w0@here-", 1, "lost", 3) == 1
    assert row(bench, analysis)["status"] == "queued"


@pytest.mark.parametrize("act", ["record", "hand_on", "finish", "fail"])
def test_a_write_whose_answer_was_lost_comes_to_the_same_end(bench: Bench, act: str) -> None:
    experiment = trained(bench)
    [analysis] = ask(bench, experiment)
    lease = hold(bench)
    given: dict[str, tuple[Any, ...]] = {
        "record": (0.5, b"half"), "hand_on": (), "finish": (FOUND,), "fail": ("code_error", "wrong"),
    }  # fmt: skip
    with one_answer_lost(bench.engine):
        getattr(leases, act)(bench.engine, lease, *given[act])
    status = {"record": "running", "hand_on": "queued", "finish": "succeeded", "fail": "failed"}[act]
    assert row(bench, analysis)["status"] == status


def test_a_claim_that_its_worker_does_not_know_of_costs_no_loss(bench: Bench) -> None:
    experiment = trained(bench)
    [analysis] = ask(bench, experiment)
    with one_answer_lost(bench.engine):
        lease = hold(bench)
    assert (row(bench, analysis)["losses"], row(bench, analysis)["epoch"]) == (0, lease.epoch)


def test_while_an_experiment_rests_so_do_its_analyses(bench: Bench) -> None:
    experiment = bench.submit(analyses=[TRACE], seeds=2)
    bench.record(bench.hold(), block(keeping(stretch(0, STEPS, "succeeded"), last=6)))
    lease = hold(bench)
    experiments.pause(bench.engine, experiment)
    with pytest.raises(Fenced):
        leases.renew(bench.engine, lease, "analyse")
    assert claim(bench) is None
    experiments.resume(bench.engine, experiment)
    assert hold(bench).id == lease.id


def test_cancelling_an_experiment_cancels_its_analyses_and_what_has_ended_stays(bench: Bench) -> None:
    experiment = bench.submit(analyses=[TRACE, {"kind": "eigenvalues"}], seeds=2)
    bench.record(bench.hold(), block(keeping(stretch(0, STEPS, "succeeded"), last=6)))
    leases.finish(bench.engine, hold(bench), FOUND)
    experiments.cancel(bench.engine, experiment)
    assert bench.one("SELECT array_agg(status ORDER BY status DESC) FROM analyses") == ["succeeded", "cancelled"]


def test_what_has_ended_cannot_be_cancelled(bench: Bench) -> None:
    experiment = trained(bench)
    [analysis] = ask(bench, experiment)
    leases.finish(bench.engine, hold(bench), FOUND)
    with pytest.raises(NotAllowed, match="has succeeded"):
        reads.cancel(bench.engine, experiment, analysis)


def test_no_analysis_disturbs_a_training_that_must_be_alone(bench: Bench) -> None:
    ask(bench, trained(bench))
    bench.submit(isolated=True)
    assert claim(bench) is None  # the training's turn comes first
    alone = bench.hold()
    assert claim(bench) is None
    assert claim(bench, machine="there") is not None
    bench.finish(alone)
    bench.sql("UPDATE analyses SET status = 'queued', worker_id = NULL")
    lease = hold(bench)
    bench.submit(isolated=True)
    assert bench.claim(bench.worker()) is None
    leases.finish(bench.engine, lease, FOUND)
    assert bench.claim(bench.worker()) is not None


def test_waiting_analyses_are_worth_a_wake_up(bench: Bench) -> None:
    experiment = trained(bench)
    bench.worker()
    assert demand(bench.engine, bench.settings) == {}
    ask(bench, experiment)
    assert demand(bench.engine, bench.settings) == {"cpu": 1, "gpu": 1}


def test_a_spec_whose_analysis_makes_no_sense_is_refused(bench: Bench) -> None:
    with pytest.raises(SpecError) as caught:
        bench.submit(analyses=[{"kind": "nothing"}])
    assert caught.value.faults[0].loc == ("analyses", 0, "kind")
