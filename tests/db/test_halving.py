"""Cells for which memory gave out together are trained in halves."""

import pytest
from batchlab_db import claims, rescue
from batchlab_db.engine import transact
from kit import STEPS, Bench, Engines, block, stretch


def stacked(bench: Bench, cells: int) -> str:
    """An experiment whose cells are one cohort."""
    experiment = bench.submit(seeds=cells)
    bench.sql("UPDATE cells SET stack_key = 'same'")
    bench.engines = Engines(size=cells)
    return experiment


def test_a_failure_for_want_of_memory_halves_until_it_is_enough(bench: Bench) -> None:
    experiment = stacked(bench, 5)
    sizes = []
    while (lease := bench.claim(bench.worker())) is not None:
        sizes.append(len(lease.cells))
        assert [cell.position for cell in lease.cells] == [*range(len(lease.cells))]
        if len(lease.cells) > 2:
            claims.fail(bench.engine, lease, "out_of_memory", "needs 3 GB")
        else:
            bench.finish(lease)
    assert sorted(sizes) == [1, 2, 2, 3, 5]
    assert [cell["status"] for cell in bench.cells(experiment)] == ["succeeded"] * 5
    assert bench.experiment(experiment)["outcome"] == "succeeded"
    assert [row["outcome"] for row in bench.sql("SELECT outcome FROM slices ORDER BY id")].count("failed") == 2


def test_what_was_recorded_before_is_trained_anew_and_nothing_is_there_twice(bench: Bench) -> None:
    experiment = stacked(bench, 2)
    lease = bench.hold()
    bench.record(lease, block(stretch(0, 2), stretch(0, 2), lease=lease), checkpoint=None)
    claims.fail(bench.engine, lease, "out_of_memory", "")
    for _ in range(2):
        bench.finish(bench.hold())
    for cell in bench.cells(experiment):
        assert bench.stored_steps(cell["id"]) == [*range(1, STEPS + 1)]
        assert (cell["shared_with"], cell["rewind"]) == (0, 1)


def test_a_cell_that_has_ended_stays_ended(bench: Bench) -> None:
    experiment = stacked(bench, 4)
    lease = bench.hold()
    bench.sql("UPDATE cells SET status = 'cancelled' WHERE id = :id", id=lease.cells[3].id)
    claims.fail(bench.engine, lease, "out_of_memory", "")
    assert [cell["status"] for cell in bench.cells(experiment)] == ["queued", "queued", "queued", "cancelled"]


def test_a_single_cell_and_one_that_has_a_state_fail(bench: Bench) -> None:
    alone = bench.submit()
    claims.fail(bench.engine, bench.hold(), "out_of_memory", "needs 3 GB")
    assert bench.experiment(alone)["outcome"] == "failed"
    trained = stacked(bench, 4)
    lease = bench.hold()
    bench.record(lease, block(*[stretch(0, 2)] * 4, lease=lease))
    claims.fail(bench.engine, lease, "out_of_memory", "needs 3 GB")
    assert {(cell["status"], cell["cause"]) for cell in bench.cells(trained)} == {("failed", "out_of_memory")}
    other = stacked(bench, 4)
    claims.fail(bench.engine, bench.hold(), "code_error", "wrong")
    assert {cell["cause"] for cell in bench.cells(other)} == {"code_error"}


@pytest.mark.parametrize(("why", "sizes"), [("out_of_memory", [2, 2]), ("lost", [4])])
def test_a_worker_that_the_kernel_killed_for_memory_leaves_halves(bench: Bench, why: str, sizes: list[int]) -> None:
    stacked(bench, 4)
    me = bench.worker()
    bench.hold(me)
    assert transact(bench.engine, lambda connection: rescue.bury(connection, me.id, me.pid, why, 3)) == 1
    bench.sql("UPDATE cohorts SET not_before = NULL")
    found = []
    while (lease := bench.claim(bench.worker(machine="there"))) is not None:
        found.append(len(lease.cells))
        bench.finish(lease)
    assert found == sizes


def test_a_lost_answer_halves_once(bench: Bench) -> None:
    stacked(bench, 4)
    lease = bench.hold()
    for _ in range(2):
        claims.fail(bench.engine, lease, "out_of_memory", "")
    assert bench.one("SELECT count(*) FROM cohorts") == 2
