"""Weights that are kept while a cell trains are the same bytes, whatever befell its workers."""

from typing import TYPE_CHECKING, Any, get_args

from batchlab_worker.crash import Point

if TYPE_CHECKING:
    from conftest import Lab

SPEC: dict[str, Any] = {
    "batch_sizes": [4, 32],
    "momentum": 0.9,
    "budget": {"steps": 8000},
    "checkpoints": [{"kind": "last"}, {"kind": "best"}, {"kind": "trajectory", "points": 26}],
}
"""Long enough for a worker to be killed at each point, also on a fast processor."""
SHORT = {"BATCHLAB_SLICE_SECONDS": "0.1", "BATCHLAB_BLOCK_SECONDS": "0.02"}
KEPT = """
    SELECT c.ordinal, k.step, k.labels, k.sha256 FROM kept k JOIN cells c ON c.id = k.cell_id
    WHERE c.experiment_id = :id ORDER BY 1, 2
"""


def test_a_worker_killed_at_each_point_of_a_slice_keeps_the_same_weights_once(lab: "Lab") -> None:
    disturbed, passes = lab.submit(**SPEC), {"before-block": 3, "after-block": 3, "before-checkpoint": 4}
    for point in reversed(get_args(Point)):
        worker = lab.worker(BATCHLAB_CRASH_AT=f"{point}:{passes.get(point, 1)}", **SHORT)
        assert worker.wait() == 137, point
        lab.hurry()
    lab.worker()
    assert lab.finish(disturbed) == "succeeded"
    peaceful = lab.submit(**SPEC)
    assert lab.finish(peaceful) == "succeeded"
    kept = lab.ask(KEPT, id=peaceful)
    assert lab.ask(KEPT, id=disturbed) == kept
    assert len(kept) >= 2 * 26
    labels = [label for _, _, labels, _ in kept for label in labels]
    assert (labels.count("last"), labels.count("best_val_loss"), labels.count("trajectory")) == (2, 2, 2 * 26)
    assert lab.digest(disturbed) == lab.digest(peaceful)
