"""What ends a slice, with the database real and, where a device or the code must fail, an engine that does."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from batchlab import engines
from batchlab.engines.base import Block, CellBlock, Snapshot, State
from batchlab_db import claims, experiments, reconcile
from batchlab_worker import device
from batchlab_worker import hold as holding
from batchlab_worker.app import work
from batchlab_worker.bench import Bench
from batchlab_worker.control import Control
from batchlab_worker.slices import run_slice
from batchlab_worker.supervisor import EX_TEMPFAIL

if TYPE_CHECKING:
    from conftest import Lab


class Scripted:
    """An engine of one cell that gives a block of one update, and does something of its own before each."""

    name = "reference"

    def __init__(self, before_block: Callable[[int], None], size: int = 1) -> None:
        self._before_block, self._size = before_block, size

    def train(self, cohort: Any, data: Any, before: State | None = None, **_: Any) -> Iterator[tuple[Block, Snapshot]]:
        first = 1 if before is None else int(before.meta["done"]) + 1
        for step in range(first, cohort[0].steps):
            self._before_block(step)
            loss = np.full(1, step, np.float32)
            cell = CellBlock(step, {"loss": loss}, np.zeros(0, np.int64), {}, step)
            yield Block({0: cell}, 0.01), lambda step=step: self._snapshot(step)

    def _snapshot(self, step: int) -> State:
        return State({"weights": np.zeros(self._size, np.float32)}, {"done": step})


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def use(before_block: Callable[[int], None], size: int = 1) -> None:
        monkeypatch.setattr(engines, "by_name", lambda _: Scripted(before_block, size))

    return use


def raising(error: BaseException, at: int = 3) -> Callable[[int], None]:
    def act(step: int) -> None:
        if step == at:
            raise error

    return act


def cell_of(lab: "Lab", experiment: str) -> Any:
    (row,) = lab.ask("SELECT * FROM cells WHERE experiment_id = :id", id=experiment)
    return row


def test_there_is_no_slice_where_there_is_no_work(bench: Bench) -> None:
    assert run_slice(bench) is None


def test_a_slice_trains_a_short_cell_to_its_end(lab: "Lab", bench: Bench) -> None:
    experiment = lab.submit(budget={"steps": 50})
    assert run_slice(bench) == "finished"
    assert lab.outcome(experiment) == "succeeded"
    assert lab.ask("SELECT FROM checkpoints") != []  # kept, for what is computed from a finished cell


def test_a_slice_fine_tunes_a_cell_from_weights_that_it_trains_first(lab: "Lab", bench: Bench) -> None:
    first = {"dataset": {"kind": "digits"}, "lr": 0.1, "epochs": 5, "batch_size": 100}
    tuned = {"dataset": {"kind": "digits", "take": 100}, "model": {"kind": "softmax"}, "pretraining": first}
    experiment = lab.submit(**tuned, split_seed=0, lr={"rule": "fixed", "base": 1e-6}, budget={"steps": 1})
    assert run_slice(bench) == "finished"
    assert lab.outcome(experiment) == "succeeded"
    assert cell_of(lab, experiment).result["val_accuracy"] > 0.8


def test_a_diverged_cell_is_a_result_and_not_a_failure(lab: "Lab", bench: Bench) -> None:
    experiment = lab.submit(
        dataset={"kind": "diabetes"}, model={"kind": "linear"}, lr={"rule": "fixed", "base": 1e4}, budget={"steps": 500}
    )
    assert run_slice(bench) == "finished"
    cell = cell_of(lab, experiment)
    assert (lab.outcome(experiment), cell.status, cell.cause) == ("succeeded", "diverged", None)
    assert 0 < cell.steps_done < 500


@pytest.mark.parametrize(
    ("error", "cause", "message"),
    [
        (ZeroDivisionError("division by zero"), "code_error", "ZeroDivisionError: division by zero"),
        (MemoryError(), "out_of_memory", "MemoryError: no message"),
        (SystemExit(3), "code_error", "SystemExit: 3"),
    ],
)
def test_an_error_fails_the_cell_with_its_cause_and_keeps_its_curve(
    lab: "Lab", bench: Bench, script: Callable[..., None], error: BaseException, cause: str, message: str
) -> None:
    experiment = lab.submit()
    script(raising(error))
    assert run_slice(bench) == "failed"
    cell = cell_of(lab, experiment)
    assert (cell.status, cell.cause, cell.message, cell.steps_done) == ("failed", cause, message, 2)
    assert lab.outcome(experiment) == "failed"
    assert not bench.control.leaving


def test_an_error_that_cannot_be_told_ends_the_slice_and_not_the_worker(
    lab: "Lab", bench: Bench, script: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = lab.submit()
    script(raising(ZeroDivisionError("division by zero")))

    def failing(*_: Any) -> None:
        raise LookupError("a second error")

    monkeypatch.setattr(claims, "fail", failing)
    assert run_slice(bench) == "fenced"
    assert cell_of(lab, experiment).status == "running"  # for the reconciler to rescue


def test_a_cell_that_trains_too_long_fails_with_a_timeout(lab: "Lab", bench: Bench) -> None:
    experiment = lab.submit(limits={"seconds_per_cell": 0.01})
    assert run_slice(bench) == "failed"
    cell = cell_of(lab, experiment)
    assert (cell.cause, cell.steps_done > 0) == ("timeout", True)
    assert "seconds_per_cell" in cell.message


def test_damaged_data_fails_the_cell_as_bad_data(lab: "Lab", bench: Bench) -> None:
    folder = bench.settings.data_folder / "mnist"
    folder.mkdir(parents=True)
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"{part}-ubyte").write_bytes(b"no idx file")
    experiment = lab.submit(dataset={"kind": "mnist"}, batch_sizes=[100])
    assert run_slice(bench) == "failed"
    assert cell_of(lab, experiment).cause == "bad_data"


def test_a_failing_gpu_costs_the_cell_nothing_and_ends_the_process(
    lab: "Lab", bench: Bench, script: Callable[..., None]
) -> None:
    import torch

    experiment = lab.submit()
    script(raising(torch.AcceleratorError("CUDA error: an illegal memory access was encountered")))
    assert run_slice(bench) == "lost"
    assert (bench.control.leaving, bench.control.exit_status) == (True, EX_TEMPFAIL)
    assert cell_of(lab, experiment).status == "queued"
    assert lab.ask("SELECT status, losses FROM cohorts") == [("ready", 0)]  # it had made progress


def test_an_error_after_which_the_gpu_fails_every_call_ends_the_process_too(
    bench: Bench, lab: "Lab", script: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.submit()
    script(raising(ValueError("what the driver said was lost")))
    monkeypatch.setattr(device, "works", lambda _: False)
    assert run_slice(bench) == "lost"
    assert bench.control.exit_status == EX_TEMPFAIL


def test_a_cell_that_asks_for_an_engine_of_another_version_fails_and_says_so(lab: "Lab", bench: Bench) -> None:
    experiment = lab.submit()
    with lab.engine.begin() as connection:
        connection.exec_driver_sql('UPDATE cells SET point = point || \'{"engine": "warp"}\'')
    assert run_slice(bench) is None
    assert "no engine 'warp'" in cell_of(lab, experiment).message


def test_a_cell_that_breaks_the_device_each_time_is_given_up(
    lab: "Lab", bench: Bench, script: Callable[..., None]
) -> None:
    experiment = lab.submit()
    script(raising(RuntimeError("CUDA error: device-side assert triggered"), at=1))
    for _ in range(bench.settings.max_losses):
        with bench.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE cohorts SET not_before = NULL")
        assert run_slice(bench) == "lost"
    cell = cell_of(lab, experiment)
    assert (cell.status, cell.cause) == ("failed", "lost")
    assert "device-side assert" in cell.message


def let_series_fail(lab: "Lab", state: str, times: int) -> None:
    """Have the database refuse the next `times` writes of series with this SQLSTATE."""
    with lab.engine.begin() as connection:
        connection.exec_driver_sql(
            f"""
            CREATE SEQUENCE refusals;
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF nextval('refusals') <= {times} THEN RAISE EXCEPTION 'refused' USING ERRCODE = '{state}'; END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON series_blocks FOR EACH ROW EXECUTE FUNCTION refuse()
            """
        )


@pytest.mark.parametrize("state", ["40P01", "55P03"])
def test_a_tie_in_the_database_while_series_are_written_is_waited_out(lab: "Lab", bench: Bench, state: str) -> None:
    experiment = lab.submit(budget={"steps": 50})
    let_series_fail(lab, state, 2)
    assert run_slice(bench) == "finished"
    assert lab.outcome(experiment) == "succeeded"


@pytest.mark.parametrize("state", ["57014", "53200", "58030", "23505"])
def test_an_error_of_the_database_is_a_loss_and_never_the_cells_fault(lab: "Lab", bench: Bench, state: str) -> None:
    experiment = lab.submit(budget={"steps": 50})
    let_series_fail(lab, state, 1)
    assert run_slice(bench) == "lost"
    assert (cell_of(lab, experiment).status, bench.control.leaving) == ("queued", False)
    assert lab.ask("SELECT status, losses FROM cohorts") == [("ready", 1)]
    lab.hurry()
    assert run_slice(bench) == "finished"
    assert lab.outcome(experiment) == "succeeded"


def test_a_full_database_leaves_the_cell_to_whoever_comes_when_there_is_room(lab: "Lab", bench: Bench) -> None:
    experiment = lab.submit(budget={"steps": 50})
    let_series_fail(lab, "53100", 1)
    assert run_slice(bench) == "lost"
    assert (cell_of(lab, experiment).status, lab.outcome(experiment)) == ("running", None)
    assert lab.ask("SELECT status FROM cohorts") == [("running",)]  # for the reconciler to rescue


def test_a_slow_step_keeps_its_lease(lab: "Lab", bench: Bench, script: Callable[..., None]) -> None:
    experiment = lab.submit()
    bench.settings = bench.settings.model_copy(update={"lease_seconds": lab.settings.lease_seconds})
    rescued = []

    def slow(step: int) -> None:
        if step == 1:
            until = holding.time.monotonic() + 2 * bench.settings.lease_seconds
            while holding.time.monotonic() < until:
                rescued.append(reconcile.reconcile(lab.engine, lab.settings).rescued)
        if step == 2:
            bench.control.leave()

    script(slow)
    assert run_slice(bench) == "stopped"
    assert set(rescued) == {0}
    assert cell_of(lab, experiment).steps_done == 2


def test_a_holder_stops_by_its_own_clock_before_its_lease_ends(
    lab: "Lab", bench: Bench, script: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = lab.submit()
    real, ahead = holding.time.monotonic, 0.0

    def frozen(step: int) -> None:
        nonlocal ahead
        if step == 3:
            ahead = bench.settings.lease_seconds - bench.settings.margin_seconds

    script(frozen)
    monkeypatch.setattr(holding.Hold, "_look_after", lambda _: None)
    monkeypatch.setattr(holding.time, "monotonic", lambda: real() + ahead)
    assert run_slice(bench) == "fenced"
    assert cell_of(lab, experiment).steps_done == 2
    assert lab.ask("SELECT status FROM cohorts") == [("running",)]  # for the reconciler to rescue


def test_whoever_was_fenced_between_two_blocks_writes_nothing_more(
    lab: "Lab", bench: Bench, script: Callable[..., None]
) -> None:
    experiment = lab.submit()
    script(lambda step: experiments.cancel(lab.engine, experiment) if step == 3 else None)
    assert run_slice(bench) == "fenced"
    cell = cell_of(lab, experiment)
    assert (cell.status, cell.steps_done) == ("cancelled", 2)


def test_of_cells_together_a_block_is_stored_while_the_next_is_trained(
    lab: "Lab", bench: Bench, script: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = lab.submit(seeds=2, engine="compiled")
    record, training, stored = claims.record, threading.Event(), []

    def patient(engine: Any, lease: Any, block: Block, *more: Any, **named: Any) -> None:
        if not stored:
            assert training.wait(10.0)
        record(engine, lease, block, *more, **named)
        stored.append(block.cells[0].steps_done)

    def going_on(step: int) -> None:
        if step == 2:
            training.set()
        if step == 5:
            bench.control.leave()

    monkeypatch.setattr(claims, "record", patient)
    script(going_on)
    assert run_slice(bench) == "stopped"
    assert stored == [1, 2, 3, 4, 5]
    steps = lab.ask("SELECT steps_done FROM cells WHERE experiment_id = :id ORDER BY ordinal", id=experiment)
    assert steps == [(5,), (0,)]


@pytest.mark.parametrize("after", ["training", "an error"])
def test_of_cells_together_a_lease_lost_under_a_block_ends_the_slice(
    lab: "Lab", bench: Bench, script: Callable[..., None], monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    experiment = lab.submit(seeds=2, engine="compiled")
    record, training = claims.record, threading.Event()

    def late(engine: Any, lease: Any, block: Block, *more: Any, **named: Any) -> None:
        if block.cells[0].steps_done == 2:
            assert training.wait(10.0)
            experiments.cancel(lab.engine, experiment)
        record(engine, lease, block, *more, **named)

    def going_on(step: int) -> None:
        if step == 3:
            training.set()
            if after == "an error":
                raise ZeroDivisionError

    monkeypatch.setattr(claims, "record", late)
    script(going_on)
    assert run_slice(bench) == "fenced"
    cells = lab.ask("SELECT status, steps_done FROM cells WHERE experiment_id = :id ORDER BY ordinal", id=experiment)
    assert cells == [("cancelled", 1), ("cancelled", 0)]


def test_a_large_state_is_not_saved_with_every_block_and_nothing_is_lost_by_it(
    lab: "Lab", bench: Bench, script: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = lab.submit(budget={"steps": 200})
    saved = []
    record = claims.record

    def noting(engine: Any, lease: Any, block: Block, checkpoint: bytes | None, *more: Any, **named: Any) -> None:
        saved.append(checkpoint is not None)
        record(engine, lease, block, checkpoint, *more, **named)

    monkeypatch.setattr(claims, "record", noting)
    script(lambda step: bench.control.leave() if step == 40 else None, size=500_000)
    assert run_slice(bench) in ("stopped", "handed_on")
    assert saved[0] and saved[-1] and sum(saved) <= len(saved) // 3
    assert lab.ask("SELECT (steps ->> '0')::int FROM checkpoints") == [(cell_of(lab, experiment).steps_done,)]


def test_the_next_slice_goes_on_from_the_checkpoint(lab: "Lab", bench: Bench, script: Callable[..., None]) -> None:
    experiment = lab.submit()
    script(raising(RuntimeError("CUDA error: gone"), at=5))
    assert run_slice(bench) == "lost"
    seen: list[int] = []
    bench.control = Control()
    script(lambda step: seen.append(step) or (bench.control.leave() if step == 7 else None))
    assert run_slice(bench) == "stopped"
    assert seen == [5, 6, 7]
    assert cell_of(lab, experiment).steps_done == 7


def test_work_wakes_the_next_only_where_something_is_left(lab: "Lab", bench: Bench) -> None:
    lab.submit(batch_sizes=[4, 8], budget={"steps": 20})
    lab.forget_messages()
    work(bench)
    assert lab.messages("cpu") == 1
    work(bench)
    assert lab.messages("cpu") == 1
    assert bench.control.cohort_id is None


def compile_loops(lab: "Lab", sweep: dict[str, Any]) -> None:
    """Train one update of the sweep outside of any lease: the leases of these tests are shorter than a compilation."""
    (cell, *_) = lab.cells(**sweep)
    engine = engines.by_name("compiled")
    next(engine.train([cell], cell.dataset.load(Path()), block_steps=1))


def trained_whole_and_in_slices(
    lab: "Lab", bench: Bench, sweep: dict[str, Any], block_seconds: float
) -> list[tuple[str, int]]:
    """Train the sweep in one slice, then in more than three, to equal digests; by cohort of the latter, its engine and
    how many others shared each cell's updates."""
    whole = lab.submit(**sweep)
    assert run_slice(bench) == "finished"
    bench.settings = bench.settings.model_copy(update={"slice_seconds": 0.0, "block_seconds": block_seconds})
    cut, slices = lab.submit(**sweep), 0
    while lab.outcome(cut) is None:
        assert run_slice(bench) in ("handed_on", "finished")
        slices += 1
    assert slices > 3
    assert lab.digest(cut) == lab.digest(whole)
    cells = lab.ask("SELECT DISTINCT cohort_id, engine, shared_with FROM cells WHERE experiment_id = :id", id=cut)
    return [(cell.engine, cell.shared_with) for cell in cells]


@pytest.mark.parametrize("model", ["softmax", "mlp"])
def test_a_compiled_sweep_ends_with_the_same_digest_however_its_slices_are_cut(
    lab: "Lab", bench: Bench, model: str
) -> None:
    sweep = {"engine": "compiled", "model": {"kind": model}, "batch_sizes": [4, 32], "seeds": 3}
    compile_loops(lab, sweep)
    assert trained_whole_and_in_slices(lab, bench, sweep, block_seconds=0.01) == [("compiled", 0)]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_stack_ends_with_the_same_digest_however_its_slices_are_cut(lab: "Lab", bench: Bench, optimizer: str) -> None:
    layers = {"kind": "mlp", "norm": {"kind": "layer"}}
    rates = [{"name": name, "lr": {"rule": "fixed", "base": base}} for name, base in (("slow", 0.01), ("fast", 0.1))]
    sweep = {
        "engine": "stacked", "model": layers, "optimizer": {"kind": optimizer}, "variants": rates, "seeds": 2,
        "budget": {"steps": 12},
    }  # fmt: skip
    assert trained_whole_and_in_slices(lab, bench, sweep, block_seconds=0.0) == [("stacked", 3)]
