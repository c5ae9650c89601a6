"""Many at once, on real connections: no cohort has two holders, no key two experiments, nothing waits in a circle."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from batchlab.cell import Cell
from batchlab.plan import plan
from batchlab.spec import parse_spec
from batchlab_db import claims, experiments, locks
from batchlab_db.errors import Fenced, KeyReused, NotAllowed
from batchlab_db.reconcile import reconcile
from kit import LIMITS, STEPS, Bench, Engines, block, document, stretch


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """With a connection for each thread."""
    bench.engine.dispose()
    bench.engine.pool._max_overflow = 20
    return bench


def together(n: int, act: Callable[[int], Any]) -> list[Any]:
    """Call `act` from n threads that start at the same moment; their results in order."""
    gate = threading.Barrier(n)

    def wait_and_act(i: int) -> Any:
        gate.wait()
        return act(i)

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(wait_and_act, range(n)))


def test_two_claimers_never_get_the_same_cohort(bench: Bench) -> None:
    bench.submit(seeds=8)
    bench.submit(seeds=8)
    everyone = [bench.worker(f"machine-{i % 3}") for i in range(12)]
    leases = together(12, lambda i: bench.claim(everyone[i]))
    assert None not in leases
    assert len({lease.cohort_id for lease in leases}) == 12
    assert len({cell.id for lease in leases for cell in lease.cells}) == 12


def test_one_waiting_cohort_goes_to_one_claimer(bench: Bench) -> None:
    bench.submit()
    everyone = [bench.worker(f"machine-{i}") for i in range(12)]
    assert sum(lease is not None for lease in together(12, lambda i: bench.claim(everyone[i]))) == 1


def claim_while_another_is_busy(bench: Bench, busy: str, wait: float) -> tuple[Any, bool]:
    """Claim while another transaction has the turn to reshape an experiment, for up to so many seconds; the lease, and
    whether the claim waited for the end of that."""
    claimed = threading.Event()
    with ThreadPoolExecutor(1) as pool, bench.engine.begin() as connection:
        locks.experiment(connection, busy)
        lease = pool.submit(bench.claim, bench.worker())
        lease.add_done_callback(lambda _: claimed.set())
        waited = not claimed.wait(wait)
        connection.rollback()
        return lease.result(), waited


def test_an_experiment_that_another_claims_of_is_passed_over(bench: Bench) -> None:
    first, second = bench.submit(), bench.submit()
    lease, waited = claim_while_another_is_busy(bench, first, 30)
    assert (lease.experiment_id, waited) == (second, False)


@pytest.mark.parametrize("other", [None, {"priority": -1}])
def test_one_that_nothing_of_its_priority_follows_is_waited_for(bench: Bench, other: dict[str, Any] | None) -> None:
    first = bench.submit()
    if other is not None:
        bench.submit(**other)
    lease, waited = claim_while_another_is_busy(bench, first, 0.5)
    assert (lease.experiment_id, waited) == (first, True)


@pytest.mark.parametrize("alone", [0, 1])
def test_isolated_cells_are_neither_passed_over_nor_moved_up(bench: Bench, alone: int) -> None:
    first, _ = (bench.submit(isolated=n == alone) for n in range(2))
    lease, waited = claim_while_another_is_busy(bench, first, 0.5)
    assert (lease.experiment_id, waited) == (first, True)


def test_on_one_machine_an_isolated_cohort_never_meets_another_slice(bench: Bench) -> None:
    for seeds in (4, 4):
        bench.submit(seeds=seeds, isolated=True)
        bench.submit(seeds=seeds)
    everyone = [bench.worker("here") for _ in range(6)]
    for _ in range(6):
        leases = [lease for lease in together(6, lambda i: bench.claim(everyone[i])) if lease is not None]
        rows = bench.sql("SELECT isolated FROM cohorts WHERE status = 'running'")
        assert leases
        assert len(rows) == 1 or not any(row["isolated"] for row in rows)
        for lease in leases:
            bench.finish(lease)


class Meeting(Engines):
    """Claims that would run side by side wait for each other in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.barrier = threading.Barrier(2)

    def choose(self, cells: Sequence[Cell], device: str) -> tuple[str, int]:
        with suppress(threading.BrokenBarrierError):
            self.barrier.wait(0.3)
        return super().choose(cells, device)


def test_claims_of_one_machine_for_different_queues_see_each_other(bench: Bench) -> None:
    bench.submit(isolated=True, device="cpu")
    bench.submit(device="cuda")
    pair = [bench.worker("here"), bench.worker("here", queues=("gpu",), device="cuda:0")]
    engines = Meeting()
    leases = together(2, lambda i: bench.claim(pair[i], engines))
    assert sum(lease is not None for lease in leases) == 1


def test_one_key_from_sixteen_threads_makes_one_experiment(bench: Bench) -> None:
    spec = parse_spec(document())
    costs = plan(spec, LIMITS)

    def post(i: int) -> experiments.Submitted:
        return experiments.submit(bench.engine, spec, costs, key="same", body_sha256="body")

    made = together(16, post)
    assert len({one.id for one in made}) == 1
    assert sum(one.created for one in made) == 1
    assert bench.one("SELECT count(*) FROM experiments") == 1


def test_of_two_bodies_under_one_key_one_wins_and_the_other_is_refused(bench: Bench) -> None:
    spec = parse_spec(document())
    costs = plan(spec, LIMITS)

    def post(i: int) -> str:
        try:
            return experiments.submit(bench.engine, spec, costs, key="same", body_sha256=f"body {i % 2}").id
        except KeyReused:
            return "refused"

    made = Counter(together(16, post))
    assert made["refused"] == 8
    assert len(made) == 2


def test_the_slice_that_ends_last_ends_the_experiment(bench: Bench) -> None:
    """Two slices end the last two cells at the same moment: one of them must see that nothing is left."""
    for _ in range(10):
        experiment = bench.submit(seeds=8)
        leases = [bench.hold() for _ in range(8)]
        together(8, lambda i, leases=leases: bench.finish(leases[i]))
        assert bench.experiment(experiment)["outcome"] == "succeeded"


def test_many_reconcilers_rescue_each_cohort_once(bench: Bench) -> None:
    bench.submit(seeds=5)
    for _ in range(5):
        bench.expire(bench.hold())
    reports = together(12, lambda i: reconcile(bench.engine, bench.settings))
    assert sum(report.rescued for report in reports) == 5
    assert sum(report.errors for report in reports) == 0


def test_cancel_in_the_middle_of_writes_leaves_nothing_open(bench: Bench) -> None:
    for _ in range(5):
        experiment = bench.submit(seeds=6)
        leases = [bench.hold() for _ in range(5)]
        cancelled = threading.Event()

        def write(lease: claims.Lease, cancelled: threading.Event = cancelled) -> None:
            for done in range(STEPS):
                late = cancelled.is_set()
                try:
                    bench.record(lease, block(stretch(done, done + 1, "succeeded" if done + 1 == STEPS else None)))
                except Fenced:
                    return
                assert not late, "written after cancel had returned"

        def act(
            i: int, leases: list[claims.Lease] = leases, experiment: str = experiment, done: threading.Event = cancelled
        ) -> None:
            if i < len(leases):
                write(leases[i])
            else:
                experiments.cancel(bench.engine, experiment)
                done.set()

        together(6, act)
        assert bench.experiment(experiment)["outcome"] == "cancelled"
        counts = Counter(cell["status"] for cell in bench.cells(experiment))
        assert set(counts) <= {"succeeded", "cancelled"}
        for cell in bench.cells(experiment):
            assert bench.stored_steps(cell["id"]) == list(range(1, cell["steps_done"] + 1))


def test_users_workers_and_reconcilers_at_once_never_wait_in_a_circle(bench: Bench) -> None:
    made = [bench.submit(seeds=4) for _ in range(3)]
    stop = threading.Event()

    def work(i: int) -> None:
        me = bench.worker(f"machine-{i % 2}")
        while not stop.is_set():
            try:
                lease = bench.claim(me)
                if lease is not None:
                    done = lease.cells[0].steps_done
                    bench.record(lease, block(stretch(done, min(done + 1, STEPS - 1))))
                    claims.hand_on(bench.engine, lease)
            except Fenced:
                continue

    def meddle(i: int) -> None:
        acts = [experiments.pause, experiments.resume, experiments.cancel, experiments.retry]
        for turn in range(60):
            try:
                acts[(turn + i) % 4](bench.engine, made[(turn * 7 + i) % 3])
            except NotAllowed:
                continue

    def rescue(i: int) -> None:
        while not stop.is_set():
            bench.sql("UPDATE cohorts SET lease_until = '-infinity' WHERE id IN (SELECT max(id) FROM cohorts)")
            assert reconcile(bench.engine, bench.settings).errors == 0

    with ThreadPoolExecutor(8) as pool:
        background = [*(pool.submit(work, i) for i in range(4)), pool.submit(rescue, 0)]
        meddling = [pool.submit(meddle, i) for i in range(2)]
        for one in meddling:
            one.result()
        stop.set()
        for one in background:
            one.result()
    bench.engine.dispose()
    bench.sql("SELECT pg_stat_force_next_flush()")
    assert bench.one("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
