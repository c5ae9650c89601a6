"""Analyses by real worker processes: killed anywhere they go on, and end with the numbers of an undisturbed run."""

import json
import time
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from batchlab_db import kept
from batchlab_db.analyses import asking, reads
from batchlab_worker.analysing import run_analysis
from batchlab_worker.app import run_next
from batchlab_worker.bench import Bench
from batchlab_worker.crash import AnalysisPoint
from batchlab_worker.slices import run_slice

if TYPE_CHECKING:
    from conftest import Lab

SPEC: dict[str, Any] = {
    "budget": {"steps": 60},
    "model": {"kind": "mlp", "widths": [8]},
    "checkpoints": [{"kind": "last"}],
}
SHARPNESS: dict[str, Any] = {
    "kind": "sharpness",
    "rows": 200,
    "measures": [{"kind": "average_case", "draws": 10}, {"kind": "keskar", "iterations": 3}],
}
LONGER = [{"kind": "average_case", "draws": 6000}, {"kind": "keskar", "iterations": 5}]
SHORT = {"BATCHLAB_SLICE_SECONDS": "0.3", "BATCHLAB_BLOCK_SECONDS": "0.05"}


def ask(lab: "Lab", experiment: str, **document: Any) -> str:
    analysis = asking.ANALYSES.validate_json(json.dumps({**SHARPNESS, **document}))
    [asked] = asking.request(lab.engine, experiment, analysis, None, "last")
    lab.wake()
    return asked


def found(lab: "Lab", experiment: str, analysis: str) -> Any:
    with lab.engine.connect() as connection:
        return dict(reads.one(connection, experiment, analysis))


def finish(lab: "Lab", experiment: str, analysis: str) -> Any:
    lab.until(lambda: found(lab, experiment, analysis)["status"] in ("succeeded", "failed"))
    return found(lab, experiment, analysis)


def hurry(lab: "Lab") -> None:
    with lab.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE analyses SET not_before = NULL, lease_until = least(lease_until, now())")


def untimed(meta: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in meta.items() if name != "seconds"}


def test_an_analysis_killed_at_each_point_ends_with_the_same_numbers(lab: "Lab") -> None:
    calm, killed = (lab.submit(**SPEC) for _ in range(2))
    worker = lab.worker()
    assert lab.finish(calm) == lab.finish(killed) == "succeeded"
    undisturbed = finish(lab, calm, ask(lab, calm, measures=LONGER))
    assert undisturbed["status"] == "succeeded"
    worker.kill()
    analysis = ask(lab, killed, measures=LONGER)
    passes = {"before-state": 3, "after-state": 2}
    for point in get_args(AnalysisPoint)[:-1]:
        dying = lab.worker(BATCHLAB_CRASH_AT=f"{point}:{passes.get(point, 1)}", **SHORT)
        assert dying.wait() == 137, point
        assert found(lab, killed, analysis)["status"] == "running"
        hurry(lab)
    lab.worker()
    disturbed = finish(lab, killed, analysis)
    assert disturbed["status"] == "succeeded"
    assert disturbed["found"] == undisturbed["found"]
    assert untimed(disturbed["meta"]) == untimed(undisturbed["meta"])


def test_analyses_and_training_take_turns(lab: "Lab", bench: Bench) -> None:
    trained = lab.submit(**SPEC)
    assert run_slice(bench) == "finished"
    ask(lab, trained), ask(lab, trained, seed=1)
    for seed in (1, 2):
        lab.submit(**SPEC, seeds=[seed])
    turns = []
    for _ in range(4):
        assert run_next(bench) == "finished"
        turns.append(bench.trained_last)
    assert turns == [True, False, True, False]
    assert run_next(bench) is None


def test_an_analysis_is_handed_on_when_its_time_is_over_and_taken_up_again(lab: "Lab", bench: Bench) -> None:
    experiment = lab.submit(**SPEC)
    run_slice(bench)
    analysis = ask(lab, experiment)
    bench.settings = bench.settings.model_copy(update={"slice_seconds": 0.0})
    fractions = []
    while (outcome := run_analysis(bench)) == "handed_on" and len(fractions) < 5:
        fractions.append(found(lab, experiment, analysis)["fraction"])
    assert outcome == "handed_on"
    assert fractions == sorted(set(fractions)) and fractions[-1] > 0
    bench.settings = bench.settings.model_copy(update={"slice_seconds": 60.0})
    assert run_analysis(bench) == "finished"
    assert finish(lab, experiment, analysis)["fraction"] == 1


def test_a_cancelled_analysis_stops_within_its_slice(lab: "Lab") -> None:
    experiment = lab.submit(**SPEC)
    worker = lab.worker()
    lab.finish(experiment)
    measures = [{"kind": "average_case", "draws": 100_000}]
    analysis = ask(lab, experiment, measures=measures)
    lab.until(lambda: found(lab, experiment, analysis)["fraction"] > 0)
    reads.cancel(lab.engine, experiment, analysis)
    lab.until(lambda: [line for line in worker.lines("analysis") if line["outcome"] == "fenced"])
    assert found(lab, experiment, analysis)["status"] == "cancelled"
    time.sleep(2 * lab.settings.reconcile_seconds)
    assert found(lab, experiment, analysis)["status"] == "cancelled"


def test_an_error_fails_the_analysis_with_its_cause_and_leaves_the_experiment(
    lab: "Lab", bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = lab.submit(**SPEC)
    run_slice(bench)
    analysis = ask(lab, experiment)

    def broken(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr("batchlab.analyses.sharpness.Sharpness.work", broken)
    assert run_analysis(bench) == "failed"
    row = found(lab, experiment, analysis)
    assert (row["status"], row["cause"]) == ("failed", "out_of_memory")
    assert lab.outcome(experiment) == "succeeded"


def test_weights_that_were_deleted_meanwhile_fail_it_in_words(lab: "Lab", bench: Bench) -> None:
    experiment = lab.submit(**SPEC)
    run_slice(bench)
    analysis = ask(lab, experiment)
    kept.delete(lab.engine, experiment)
    with lab.engine.begin() as connection:
        kept.free(connection)
    assert run_analysis(bench) == "failed"
    row = found(lab, experiment, analysis)
    assert (row["cause"], "gone or damaged" in row["message"]) == ("bad_data", True)


def test_the_analyses_of_a_spec_follow_its_training(lab: "Lab") -> None:
    lab.worker()
    experiment = lab.submit(**SPEC, seeds=2, analyses=[{**SHARPNESS, "measures": [{"kind": "one_step"}]}])
    assert lab.finish(experiment) == "succeeded"
    done = "SELECT count(*) FROM analyses WHERE experiment_id = :id AND status = 'succeeded'"
    lab.until(lambda: lab.scalar(done, id=experiment) == 2)
    with lab.engine.connect() as connection:
        values = reads.by_cell(connection, experiment)
    assert all(len(cell["sharpness"]) == 1 for cell in values.values())


def test_the_arrays_that_are_stored_are_those_that_the_numbers_come_from(lab: "Lab") -> None:
    lab.worker()
    experiment = lab.submit(**SPEC, seeds=2, analyses=[{"kind": "interpolation", "points": 7}])
    assert lab.finish(experiment) == "succeeded"
    one = "SELECT max(id) FROM analyses WHERE experiment_id = :id AND status = 'succeeded'"
    lab.until(lambda: lab.scalar(one, id=experiment) is not None)
    analysis = str(lab.scalar(one, id=experiment))
    with lab.engine.connect() as connection:
        arrays = reads.arrays(connection, experiment, analysis)
    t, loss = arrays["t"], arrays["loss"]
    ends = [float(loss[t == end][0]) for end in (0.0, 1.0)]
    between = (t >= 0) & (t <= 1)
    chord = (1 - t) * ends[0] + t * ends[1]
    assert found(lab, experiment, analysis)["found"]["barrier"] == pytest.approx(float((loss - chord)[between].max()))
    assert np.all((arrays["accuracy"] >= 0) & (arrays["accuracy"] <= 1))
