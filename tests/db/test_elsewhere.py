"""Large kept weights at a URL: on the disk and in memory, with the database's rows as the truth."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from batchlab import state
from batchlab.engines.base import Kept
from batchlab.errors import DataError
from batchlab_db import claims, elsewhere, kept
from batchlab_db.elsewhere import Elsewhere
from batchlab_db.errors import Fenced
from batchlab_db.experiments import delete, pause
from batchlab_db.reconcile import reconcile
from batchlab_db.settings import Settings
from kit import STEPS, Bench, block, stretch
from pydantic import SecretStr, ValidationError

NOW = timedelta(0)


@pytest.fixture(params=["file", "memory"])
def away(request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> Iterator[Bench]:
    """A bench whose weights above 1000 bytes go to a folder of the disk, or of this process's memory."""
    folder = f"file://{tmp_path}/weights" if request.param == "file" else f"memory://{tmp_path.name}/weights/"
    changes = {"weights_url": SecretStr(folder), "weights_bytes_inline": 1000}
    bench.settings = bench.settings.model_copy(update=changes)
    yield bench
    fsspec.filesystem("memory").store.clear()


def objects(bench: Bench) -> list[str]:
    """Names of what lies in the folder."""
    files, path = fsspec.core.url_to_fs(place(bench).folder)
    return sorted(found.rsplit("/", 1)[-1] for found in files.ls(path, detail=False)) if files.exists(path) else []


def place(bench: Bench) -> Elsewhere:
    found = Elsewhere.of(bench.settings)
    assert found is not None
    return found


def record(bench: Bench, lease: claims.Lease, first: float = 0.0) -> None:
    """A cell's whole run that keeps large weights and small ones."""
    large = {"w": np.arange(1000, dtype=np.float32) + np.float32(first)}
    weights = {2: Kept(large, ("at",)), STEPS: Kept({"w": np.float32([first])}, ("last",))}
    bench.record(lease, block(replace(stretch(0, STEPS, "succeeded"), kept=weights)))


def read(bench: Bench, experiment: str) -> list[Any]:
    with bench.engine.connect() as connection:
        rows = kept.listing(connection, experiment)
        return [state.weights_from_bytes(kept.of_experiment(connection, experiment, row["sha256"])) for row in rows]


def test_large_weights_lie_there_and_are_read_as_those_in_the_database(away: Bench) -> None:
    experiment = away.submit()
    record(away, away.hold())
    [name] = objects(away)
    with away.engine.connect() as connection:
        large, small = kept.listing(connection, experiment)
    assert name.startswith(large["sha256"])
    assert (large["bytes"] > 4000, small["bytes"] < 1000) == (True, True)
    assert away.one("SELECT count(*) FROM weight_parts") == 1
    first, second = read(away, experiment)
    np.testing.assert_array_equal(first["w"], np.arange(1000, dtype=np.float32))
    assert second["w"].tolist() == [0.0]


def test_equal_weights_are_referred_to_once_and_a_second_copy_is_swept(away: Bench) -> None:
    away.submit(seeds=2)
    record(away, away.hold())
    record(away, away.hold())
    assert (away.one("SELECT count(*) FROM weights"), len(objects(away))) == (2, 2)
    assert place(away).forgotten(away.engine) == 0  # too young: it might belong to an upload under way
    assert place(away).forgotten(away.engine, NOW) == 1
    assert f"{place(away).folder}/{objects(away)[0]}" == away.one("SELECT url FROM weights WHERE url IS NOT NULL")


def test_deleting_removes_the_object_once_no_cell_has_it(away: Bench) -> None:
    experiment, other = away.submit(), away.submit()
    record(away, away.hold())
    record(away, away.hold(), first=5.0)
    assert kept.delete(away.engine, experiment) == 2
    reconcile(away.engine, away.settings)
    assert len(objects(away)) == 1
    assert read(away, other)[0]["w"][0] == 5.0
    delete(away.engine, other)
    for _ in range(2):
        reconcile(away.engine, away.settings)
    assert objects(away) == []


def test_a_crash_between_the_upload_and_the_row_leaves_an_object_that_is_swept(away: Bench) -> None:
    experiment = away.submit()
    lease = away.hold()
    pause(away.engine, experiment)  # the fence has passed on: the transaction that would refer to it is refused
    with pytest.raises(Fenced):
        record(away, lease)
    assert (len(objects(away)), away.one("SELECT count(*) FROM weights")) == (1, 0)
    assert place(away).forgotten(away.engine, NOW) == 1
    assert objects(away) == []


def test_what_is_not_ours_in_the_folder_stays(away: Bench) -> None:
    files, path = fsspec.core.url_to_fs(f"{place(away).folder}/notes.txt")
    files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    files.pipe_file(path, b"mine")
    assert place(away).forgotten(away.engine, NOW) == 0
    assert objects(away) == ["notes.txt"]


def test_the_reconciler_sweeps_once_an_hour_in_the_whole_lab(away: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    swept: list[str] = []
    monkeypatch.setattr(Elsewhere, "forgotten", lambda self, engine: swept.append(self.folder) or 0)
    for _ in range(3):
        reconcile(away.engine, away.settings)
    assert len(swept) == 1
    away.sql("UPDATE facts SET at = at - interval '2 hours' WHERE name = 'swept'")
    reconcile(away.engine, away.settings)
    assert len(swept) == 2


def test_damaged_and_missing_objects_are_told_in_words(away: Bench) -> None:
    experiment = away.submit()
    record(away, away.hold())
    files, path = fsspec.core.url_to_fs(f"{place(away).folder}/{objects(away)[0]}")
    files.pipe_file(path, b"something else")
    with pytest.raises(DataError, match="gone or damaged"):
        read(away, experiment)
    files.rm_file(path)
    with pytest.raises(DataError, match="gone from their folder"):
        read(away, experiment)
    elsewhere.remove([f"{place(away).folder}/{'0' * 64}.0.safetensors"])  # gone already


@pytest.mark.parametrize(
    ("url", "message"), [("/srv/weights", "is no URL"), ("nosuch://bucket", "a kind of store that is not there")]
)
def test_a_folder_of_no_known_kind_is_refused_at_the_start(url: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings(weights_url=SecretStr(url))
