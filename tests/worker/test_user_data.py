"""A worker trains on data that users added, wherever it stands: it brings them from the database."""

import io
from typing import TYPE_CHECKING

import numpy as np
from batchlab.datasets import User
from batchlab.uploads import Limits, Upload, read
from batchlab_db import data
from batchlab_worker.bench import Bench
from batchlab_worker.heartbeat import available
from batchlab_worker.slices import run_slice

if TYPE_CHECKING:
    from conftest import Lab


def added(lab: "Lab", name: str = "mine") -> Upload:
    file = io.BytesIO()
    np.savez(file, x=np.random.default_rng(0).normal(size=(60, 4)), y=np.arange(60) % 3)
    made = read(file, Limits(2**20))
    data.add(lab.engine, name, made.data, made.facts, request="test")
    return made


def submit(lab: "Lab", made: Upload) -> str:
    dataset = {"kind": "user", "name": "mine", **made.facts.model_dump(mode="json")}
    return lab.submit(dataset=dataset, budget={"steps": 50}, evaluate={"every_steps": 50})


def test_a_worker_without_the_file_trains_on_it(lab: "Lab") -> None:
    made = added(lab)
    lab.worker()
    assert lab.finish(submit(lab, made)) == "succeeded"
    path = User(name="mine", **made.facts.model_dump()).path(lab.settings.user_data_folder)
    assert path.read_bytes() == made.data


def test_every_worker_says_that_it_has_what_users_added(bench: Bench) -> None:
    assert {"user", "inline"} <= set(available(bench.settings.data_folder))


def test_data_that_are_gone_fail_the_cell_as_bad_data(lab: "Lab", bench: Bench) -> None:
    made = added(lab)
    experiment = submit(lab, made)
    with lab.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM data_parts")
    assert run_slice(bench) == "failed"
    [cell] = lab.ask("SELECT cause, message FROM cells WHERE experiment_id = :id", id=experiment)
    assert cell.cause == "bad_data" and "add it again" in cell.message
