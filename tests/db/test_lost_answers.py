"""A COMMIT that was done but got no answer: every write is run again and comes to the same end as once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from batchlab.plan import plan
from batchlab.spec import parse_spec
from batchlab_db import claims, experiments
from batchlab_db.errors import Fenced
from kit import LIMITS, STEPS, Bench, block, document, stretch
from sqlalchemy import Engine


@contextmanager
def one_answer_lost(engine: Engine) -> Iterator[None]:
    """The next COMMIT is done, and the connection is cut before its answer arrives."""
    commit = engine.dialect.do_commit

    def cut(connection: Any) -> None:
        engine.dialect.do_commit = commit
        commit(connection)
        connection.dbapi_connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    engine.dialect.do_commit = cut
    yield
    assert engine.dialect.do_commit == commit, "nothing was committed"


def test_a_post_makes_one_experiment(bench: Bench) -> None:
    spec = parse_spec(document(seeds=2))
    for key in (None, "key"):
        with one_answer_lost(bench.engine):
            made = experiments.submit(bench.engine, spec, plan(spec, LIMITS), key=key, body_sha256="body")
        assert made.created
        assert len(bench.cells(made.id)) == 2
    assert bench.one("SELECT count(*) FROM experiments") == 2


def test_a_claim_is_found_again_and_costs_no_loss(bench: Bench) -> None:
    bench.submit(seeds=2)
    me = bench.worker()
    with one_answer_lost(bench.engine):
        lease = bench.hold(me)
    assert bench.one("SELECT count(*) FROM cohorts") == 1
    assert (bench.cohort(lease)["losses"], bench.cohort(lease)["epoch"]) == (0, lease.epoch)
    bench.finish(lease)


def test_a_claim_that_its_worker_does_not_know_of_is_given_back_by_its_next(bench: Bench) -> None:
    bench.submit()
    me = bench.worker()
    unknown = bench.hold(me)
    found = bench.hold(me)
    assert found.cohort_id == unknown.cohort_id
    assert found.epoch > unknown.epoch
    with pytest.raises(Fenced):
        claims.renew(bench.engine, unknown, "train")


def test_a_block_is_stored_once(bench: Bench) -> None:
    bench.submit()
    lease = bench.hold()
    with one_answer_lost(bench.engine):
        bench.record(lease, block(stretch(0, 2)))
    bench.record(lease, block(stretch(2, 4)))
    assert bench.stored_steps(lease.cells[0].id) == [1, 2, 3, 4]
    assert bench.one("SELECT updates FROM slices") == 4


def test_a_block_is_stored_once_also_when_its_caller_tries_it_again(bench: Bench) -> None:
    bench.submit()
    lease = bench.hold()
    bench.record(lease, block(stretch(0, 2)))
    lease.blocks -= 1  # what a caller knows whose every try failed
    bench.record(lease, block(stretch(0, 2)))
    assert bench.stored_steps(lease.cells[0].id) == [1, 2]


def test_the_last_block_ends_the_experiment_once(bench: Bench) -> None:
    experiment = bench.submit()
    lease = bench.hold()
    with one_answer_lost(bench.engine):
        bench.finish(lease)
    assert lease.finished
    assert bench.experiment(experiment)["outcome"] == "succeeded"
    assert bench.one("SELECT updates FROM slices") == STEPS


ENDINGS: dict[str, Callable[[Bench, claims.Lease], None]] = {
    "handed_on": lambda bench, lease: claims.hand_on(bench.engine, lease, b"state"),
    "stopped": lambda bench, lease: claims.hand_on(bench.engine, lease, b"state", "stopped"),
    "failed": lambda bench, lease: claims.fail(bench.engine, lease, "code_error", "wrong"),
    "lost": lambda bench, lease: claims.give_up(bench.engine, lease, bench.settings, "unfit"),
}


@pytest.mark.parametrize("outcome", list(ENDINGS))
def test_a_slice_ends_once(bench: Bench, outcome: str) -> None:
    bench.submit()
    lease = bench.hold()
    with one_answer_lost(bench.engine):
        ENDINGS[outcome](bench, lease)
    assert bench.one("SELECT outcome FROM slices") == outcome
    assert bench.cohort(lease)["losses"] == (1 if outcome == "lost" else 0)


def test_seeds_are_added_once(bench: Bench) -> None:
    experiment = bench.submit()
    with one_answer_lost(bench.engine):
        assert experiments.add_seeds(bench.engine, experiment, 2, LIMITS) == 2
    assert [cell["seed"] for cell in bench.cells(experiment)] == [0, 1, 2]


@pytest.mark.parametrize("name", ["cancel", "pause", "resume", "retry", "delete"])
def test_what_users_ask_for_is_done_once_and_is_no_error(bench: Bench, name: str) -> None:
    experiment = bench.submit()
    if before := {"resume": experiments.pause, "retry": experiments.cancel}.get(name):
        before(bench.engine, experiment)
    act: Callable[[Engine, str], None] = getattr(experiments, name)
    with one_answer_lost(bench.engine):
        act(bench.engine, experiment)
    row = bench.experiment(experiment)
    assert (row["paused"], row["deleted_at"] is not None) == (name == "pause", name == "delete")
    assert row["outcome"] == ("cancelled" if name in ("cancel", "delete") else None)
