"""Whose turn it is: fair shares, priorities, devices, isolation, and other machines for what was lost."""

from collections import Counter

from batchlab_db import claims, experiments
from batchlab_db.reconcile import reconcile
from batchlab_db.workers import WorkerInfo
from kit import Bench, block, stretch


def serve(bench: Bench, me: WorkerInfo) -> str | None:
    """One slice of one block; the experiment that was served."""
    lease = bench.claim(me)
    if lease is None:
        return None
    bench.record(lease, block(stretch(lease.cells[0].steps_done, lease.cells[0].steps_done + 1)))
    claims.hand_on(bench.engine, lease)
    return lease.experiment_id


def jain(shares: list[int]) -> float:
    """Jain's index of fairness: 1 for equal shares, 1/n where one has all."""
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


def test_a_small_experiment_is_not_kept_waiting_by_a_large_one(bench: Bench) -> None:
    large = bench.submit(seeds=1000)
    me = bench.worker()
    assert [serve(bench, me) for _ in range(3)] == [large] * 3
    small = bench.submit(seeds=10)
    assert small in [serve(bench, me), serve(bench, me)]


def test_experiments_share_by_turns_whatever_their_size(bench: Bench) -> None:
    made = [bench.submit(seeds=seeds) for seeds in (100, 10, 1, 30)]
    me = bench.worker()
    served = Counter(serve(bench, me) for _ in range(24))
    assert set(served) == set(made)
    assert jain(list(served.values())) > 0.9


def test_a_higher_priority_goes_first(bench: Bench) -> None:
    low, high = bench.submit(), bench.submit(priority=5)
    me = bench.worker()
    bench.finish(bench.hold(me))
    assert bench.experiment(high)["outcome"] == "succeeded"
    assert serve(bench, me) == low


def test_a_cell_that_was_begun_goes_before_one_that_never_ran(bench: Bench) -> None:
    experiment = bench.submit(seeds=3)
    me = bench.worker()
    for _ in range(4):
        serve(bench, me)
    assert [cell["steps_done"] for cell in bench.cells(experiment)] == [4, 0, 0]


def test_a_worker_takes_only_what_its_queues_and_device_can_do(bench: Bench) -> None:
    bench.submit(device="cuda")
    cpu = bench.worker("a")
    gpu = bench.worker("b", queues=("gpu",), device="cuda:0")
    assert bench.claim(cpu) is None
    lease = bench.hold(gpu)
    assert lease.device == "cuda:0"
    bench.finish(lease)
    bench.submit(device="cpu")
    assert bench.claim(gpu) is None
    assert bench.hold(cpu).device == "cpu"


def test_a_worker_that_serves_both_queues_trains_cpu_cells_on_the_cpu(bench: Bench) -> None:
    both = bench.worker(queues=("cpu", "gpu"), device="cuda:0")
    bench.submit(device="cpu")
    assert bench.hold(both).device == "cpu"


def test_a_cell_that_asks_for_one_card_is_trained_on_no_other(bench: Bench) -> None:
    bench.submit(device="cuda:1", seeds=2)
    first, second, unnamed = (
        bench.worker(machine, queues=("cpu", "gpu"), device=device)
        for machine, device in (("a", "cuda:0"), ("b", "cuda:1"), ("c", "cuda"))
    )
    assert bench.claim(first) is None
    assert bench.claim(unnamed) is None
    held = bench.hold(second)
    assert held.device == "cuda:1"
    claims.hand_on(bench.engine, held)
    assert bench.claim(first) is None


def test_a_lost_cell_of_one_card_is_not_kept_for_a_machine_with_another(bench: Bench) -> None:
    bench.submit(device="cuda:1")
    mine = bench.worker("a", queues=("gpu",), device="cuda:1")
    bench.worker("b", queues=("gpu",), device="cuda:0")
    lost = bench.hold(mine)
    bench.expire(lost)
    reconcile(bench.engine, bench.settings)
    bench.sql("UPDATE cohorts SET not_before = NULL")
    assert bench.hold(mine).cohort_id == lost.cohort_id


def test_a_cell_goes_to_a_worker_that_has_its_data_and_to_any_where_none_has(bench: Bench) -> None:
    bench.submit(seeds=3)
    without, having = bench.worker("a"), bench.worker("b", datasets=("sectors",))
    assert bench.claim(without) is None
    claims.hand_on(bench.engine, bench.hold(having))
    assert bench.claim(without) is None
    bench.finish(bench.hold(having))
    bench.worker("c", queues=("gpu",), device="cuda:0", datasets=("sectors",))
    bench.sql("UPDATE workers SET state = 'draining' WHERE id = :id", id=having.id)
    assert bench.claim(without) is None  # device auto: the graphics card may train it too
    bench.sql("UPDATE workers SET state = 'draining' WHERE machine = 'c'")
    assert bench.claim(without) is not None


def test_a_worker_that_may_not_serve_a_cell_does_not_keep_others_from_it(bench: Bench) -> None:
    bench.submit(device="cpu")
    bench.worker("a", queues=("gpu",), device="cuda:0", datasets=("sectors",))
    assert bench.claim(bench.worker("b")) is not None


def test_a_cohort_stays_on_its_kind_of_device_while_one_lives(bench: Bench) -> None:
    bench.submit()
    gpu = bench.worker("a", queues=("gpu",), device="cuda:0")
    claims.hand_on(bench.engine, bench.hold(gpu))
    cpu = bench.worker("b")
    assert bench.claim(cpu) is None
    bench.sql("UPDATE workers SET heartbeat_at = clock_timestamp() - interval '1 hour' WHERE id = :id", id=gpu.id)
    assert bench.hold(cpu).device == "cpu"


def test_what_was_lost_tries_another_machine_where_there_is_one(bench: Bench) -> None:
    bench.submit()
    here, there = bench.worker("here"), bench.worker("there")
    lost = bench.hold(here)
    bench.expire(lost)
    reconcile(bench.engine, bench.settings)
    bench.sql("UPDATE cohorts SET not_before = NULL")
    assert bench.claim(here) is None
    bench.sql("UPDATE workers SET state = 'draining' WHERE id = :id", id=there.id)
    assert bench.hold(here).cohort_id == lost.cohort_id


def test_what_was_lost_waits_before_it_is_tried_again(bench: Bench) -> None:
    bench.submit()
    me = bench.worker()
    lost = bench.hold(me)
    bench.expire(lost)
    reconcile(bench.engine, bench.settings)
    assert bench.claim(me) is None
    assert bench.cohort(lost)["not_before"] > bench.cohort(lost)["ready_since"]


def test_nothing_else_starts_on_a_machine_where_an_isolated_slice_runs(bench: Bench) -> None:
    first, second, elsewhere = bench.worker("here"), bench.worker("here"), bench.worker("there")
    bench.submit(isolated=True)
    alone = bench.hold(first)
    bench.submit()
    assert bench.claim(second) is None
    assert bench.claim(elsewhere) is not None
    claims.hand_on(bench.engine, alone)
    bench.submit()
    assert bench.claim(second) is not None


def test_an_isolated_cohort_waits_for_the_machine_and_is_not_starved(bench: Bench) -> None:
    first, second = bench.worker("here"), bench.worker("here")
    bench.submit(seeds=50)
    busy = bench.hold(first)
    alone = bench.submit(isolated=True)
    # The other worker holds back rather than take more of the first experiment, so that the machine falls silent.
    assert bench.claim(second) is None
    assert bench.claim(second) is None
    claims.hand_on(bench.engine, busy)
    assert bench.hold(second).experiment_id == alone
    assert bench.claim(first) is None


def test_isolated_work_and_other_work_take_turns(bench: Bench) -> None:
    plain, alone = bench.submit(seeds=9), bench.submit(seeds=9, isolated=True)
    me = bench.worker()
    assert Counter(serve(bench, me) for _ in range(8)) == {plain: 4, alone: 4}


def test_a_nearly_full_disk_stops_claims_until_it_is_said_to_be_over(bench: Bench) -> None:
    bench.submit()
    me = bench.worker()
    volume = bench.settings.home
    volume.mkdir()
    full = bench.settings.model_copy(update={"database_volume": volume, "free_bytes_pause": 2**62})
    reconcile(bench.engine, full)
    assert bench.claim(me) is None
    roomy = full.model_copy(update={"free_bytes_pause": 0, "free_share_pause": 0.0})
    reconcile(bench.engine, roomy)
    assert bench.claim(me) is not None


def test_a_cancelled_or_paused_experiment_gives_its_turn_away(bench: Bench) -> None:
    first, second, third = (bench.submit(seeds=5) for _ in range(3))
    experiments.cancel(bench.engine, first)
    experiments.pause(bench.engine, second)
    me = bench.worker()
    assert [serve(bench, me) for _ in range(3)] == [third] * 3
