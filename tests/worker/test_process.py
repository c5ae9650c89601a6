"""A worker process from its start to its end."""

import signal

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Lab


def test_a_worker_trains_every_cell(lab: "Lab") -> None:
    worker = lab.worker()
    experiment = lab.submit(batch_sizes=[4, 16], seeds=2)
    assert lab.finish(experiment) == "succeeded"
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    print(worker.log.read_text())
