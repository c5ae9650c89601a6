"""Data sets that users add: whole or not at all, kept while somebody needs them, brought to whoever trains on them."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from batchlab.datasets import User
from batchlab.datasets.user import Facts
from batchlab.errors import DataError, SpecError
from batchlab.uploads import Limits, Upload, read
from batchlab_db import data, experiments
from batchlab_db.errors import InUse, NameTaken, NotFound
from kit import Bench


def upload(rows: int = 12, seed: int = 0) -> Upload:
    file, rng = io.BytesIO(), np.random.default_rng(seed)
    np.savez(file, x=rng.normal(size=(rows, 3)), y=np.arange(rows) % 3)
    return read(file, Limits(2**28))


def add(bench: Bench, name: str, what: Upload, request: str | None = None) -> None:
    data.add(bench.engine, name, what.data, what.facts, request=request or uuid4().hex)


def facts(bench: Bench, name: str, sha256: str | None = None) -> Facts | None:
    with bench.engine.connect() as connection:
        return data.facts(connection, name, sha256)


def dataset(name: str, what: Upload) -> dict[str, Any]:
    return {"kind": "user", "name": name, **what.facts.model_dump(mode="json")}


def rows(bench: Bench) -> tuple[int, int, int]:
    return tuple(bench.one(f"SELECT count(*) FROM {table}") for table in ("data_names", "data_files", "data_parts"))  # type: ignore[return-value]


def test_what_was_added_is_known_by_its_name(bench: Bench) -> None:
    made = upload()
    add(bench, "mine", made)
    assert facts(bench, "mine") == facts(bench, "mine", made.facts.sha256) == made.facts
    assert facts(bench, "other") is facts(bench, "mine", "0" * 64) is None
    with bench.engine.connect() as connection:
        [listed] = data.everything(connection)
    assert (listed["name"], listed["bytes"], listed["rows"]) == ("mine", len(made.data), 12)


def test_a_file_of_many_parts_comes_back_bit_for_bit(bench: Bench, tmp_path: Path) -> None:
    made = upload(rows=200_000)
    add(bench, "large", made)
    assert rows(bench) == (1, 1, 4)
    user = User(name="large", **made.facts.model_dump())
    data.bring(bench.engine, user, tmp_path)
    assert user.path(tmp_path).read_bytes() == made.data
    assert len(user.load(tmp_path).x) == 200_000


def test_a_name_is_given_once(bench: Bench) -> None:
    add(bench, "mine", upload())
    for again in (upload(), upload(seed=1)):
        with pytest.raises(NameTaken, match="mine"):
            add(bench, "mine", again)
    assert rows(bench) == (1, 1, 1)


def test_a_request_that_is_run_again_comes_to_the_same_end(bench: Bench) -> None:
    for _ in range(2):
        add(bench, "mine", upload(), request="once")
    assert rows(bench) == (1, 1, 1)


def test_two_names_share_one_content(bench: Bench) -> None:
    for name in ("one", "two"):
        add(bench, name, upload())
    assert rows(bench) == (2, 1, 1)
    data.delete(bench.engine, "one")
    assert (facts(bench, "two"), rows(bench)) == (upload().facts, (1, 1, 1))
    data.delete(bench.engine, "two")
    assert rows(bench) == (0, 0, 0)


def test_data_that_an_experiment_uses_stay_until_it_is_deleted(bench: Bench) -> None:
    made = upload()
    add(bench, "mine", made)
    variants = [{"name": "a"}, {"name": "b", "dataset": {"kind": "sectors"} | dict.fromkeys(
        ("name", "sha256", "rows", "test_rows", "shape", "classes"))}]  # fmt: skip
    id = bench.submit(dataset=dataset("mine", made), variants=variants)
    with pytest.raises(InUse, match=f"the experiment {id} uses mine"):
        data.delete(bench.engine, "mine")
    experiments.cancel(bench.engine, id)
    experiments.delete(bench.engine, id)
    data.delete(bench.engine, "mine")
    assert facts(bench, "mine") is None
    with pytest.raises(NotFound):
        data.delete(bench.engine, "mine")


def test_data_in_a_variant_alone_are_in_use(bench: Bench) -> None:
    made = upload()
    add(bench, "mine", made)
    bench.submit(variants=[{"name": "a"}, {"name": "b", "dataset": dataset("mine", made)}])
    with pytest.raises(InUse):
        data.delete(bench.engine, "mine")


def test_no_experiment_is_stored_for_data_that_are_gone(bench: Bench) -> None:
    with pytest.raises(SpecError, match="just been deleted"):
        bench.submit(dataset=dataset("mine", upload()))
    assert bench.one("SELECT count(*) FROM experiments") == 0


def test_data_cannot_be_deleted_while_an_experiment_is_just_stored(bench: Bench) -> None:
    made = upload()
    add(bench, "mine", made)
    with bench.engine.begin() as connection:
        data.hold(connection, {made.facts.sha256})
        with pytest.raises(Exception, match="lock timeout"), bench.engine.begin() as other:
            other.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
            data._delete(other, "mine")
    assert facts(bench, "mine") == made.facts


KILLED = """
import os, signal, sys
from batchlab_db import data
from batchlab_db.engine import make_engine
from batchlab_db.settings import Settings
from batchlab.datasets.user import packed
import numpy as np

whole = data._parts
def parts(*given):
    for i, part in enumerate(whole(*given)):
        if i == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        yield part
data._parts = parts
made = packed({"x": np.zeros((2**19, 2), np.float32), "y": np.arange(2**19) % 2}, 2)
data.add(make_engine(Settings(), role="api"), "mine", *made, request="r")
"""


def test_a_process_killed_in_the_middle_leaves_nothing(bench: Bench, environment: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False)
    assert done.returncode == -9
    assert rows(bench) == (0, 0, 0)
    add(bench, "mine", upload())


def test_a_damaged_or_missing_file_is_brought_again(bench: Bench, tmp_path: Path) -> None:
    made = upload()
    add(bench, "mine", made)
    user = User(name="mine", **made.facts.model_dump())
    data.bring(bench.engine, user, tmp_path)
    written = user.path(tmp_path).stat().st_mtime_ns
    data.bring(bench.engine, user, tmp_path)
    assert user.path(tmp_path).stat().st_mtime_ns == written
    user.path(tmp_path).write_bytes(made.data[:-1])
    data.bring(bench.engine, user, tmp_path)
    assert user.load(tmp_path).y.tolist() == [0, 1, 2] * 4
    assert list(user.path(tmp_path).parent.iterdir()) == [user.path(tmp_path)]


def test_data_that_are_gone_or_damaged_in_the_database_are_not_brought(bench: Bench, tmp_path: Path) -> None:
    made = upload()
    user = User(name="mine", **made.facts.model_dump())
    with pytest.raises(DataError, match="not in the database any more"):
        data.bring(bench.engine, user, tmp_path)
    add(bench, "mine", made)
    bench.sql("UPDATE data_parts SET data = data || 'x'")
    with pytest.raises(DataError, match="not in the database any more"):
        data.bring(bench.engine, user, tmp_path)
    assert not user.path(tmp_path).exists()
