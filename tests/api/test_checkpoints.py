"""Kept weights over HTTP: trained for real, listed, taken away, deleted."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from batchlab import state
from batchlab_client import models
from batchlab_db.settings import Settings
from batchlab_worker.__main__ import make_bench
from batchlab_worker.slices import run_slice
from fastapi.testclient import TestClient
from hand import SPEC

KEEP = [{"kind": "last"}, {"kind": "at", "updates": [0, 50]}]


@pytest.fixture
def trained(post: Callable[..., str], settings: Settings) -> str:
    """An experiment of two cells, trained with its weights kept."""
    experiment = post(checkpoints=KEEP, seeds=1, model={"kind": "mlp", "widths": [8]}, split_seed=0)
    bench = make_bench(settings, "here", ["cpu"])
    while run_slice(bench) is not None:
        pass
    bench.engine.dispose()
    return experiment


def listed(client: TestClient, experiment: str, **asked: Any) -> models.CheckpointList:
    answer = client.get(f"/experiments/{experiment}/checkpoints", params=asked)
    assert answer.status_code == 200, answer.text
    return models.CheckpointList.model_validate(answer.json())


def test_kept_weights_are_listed_once_for_each_step_with_their_size(client: TestClient, trained: str) -> None:
    found = listed(client, trained)
    assert [(one.ordinal, one.step, one.labels) for one in found.items] == [
        (ordinal, *kept) for ordinal in (0, 1) for kept in ((0, ["at"]), (50, ["at"]), (100, ["last"]))
    ]
    initial = [one for one in found.items if one.step == 0]
    assert initial[0].sha256 == initial[1].sha256  # of one seed: equal weights
    assert found.bytes == sum(one.bytes for one in found.items) - initial[0].bytes
    cell = found.items[0].cell
    assert {one.cell for one in listed(client, trained, cells=cell).items} == {cell}


def test_kept_weights_are_a_file_that_has_the_hash_it_is_called_by(client: TestClient, trained: str) -> None:
    for one in listed(client, trained).items:
        data = client.get(one.links["file"]).content
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (one.sha256, one.bytes)
    weights = state.weights_from_bytes(data)
    assert sorted(array.shape for array in weights.values()) == [(3,), (3, 8), (8,), (8, 2)]


def test_kept_weights_are_deleted_and_what_was_measured_stays(client: TestClient, trained: str) -> None:
    digest = client.get(f"/experiments/{trained}/digest").json()
    file = listed(client, trained).items[0]
    answer = client.delete(f"/experiments/{trained}/checkpoints", params={"cells": file.cell})
    assert answer.json() == {"checkpoints": 3}
    assert {one.ordinal for one in listed(client, trained).items} == {1}
    assert client.delete(f"/experiments/{trained}/checkpoints").json() == {"checkpoints": 3}
    assert listed(client, trained) == models.CheckpointList(items=[], bytes=0)
    assert client.get(file.links["file"]).status_code == 404
    assert client.get(f"/experiments/{trained}/digest").json() == digest


def test_a_plan_says_what_the_kept_weights_take(client: TestClient) -> None:
    plain, kept = (
        client.post("/experiments?dry_run=true", json={**SPEC, "checkpoints": keep}).json()["storage"]
        for keep in ([], KEEP)
    )
    assert kept > plain


@pytest.mark.parametrize("path", ["", "/" + 64 * "0" + ".safetensors"])
def test_an_experiment_that_is_not_there_has_none(client: TestClient, path: str) -> None:
    assert client.get(f"/experiments/nowhere/checkpoints{path}").status_code == 404


def test_a_foreign_experiments_weights_are_not_found(
    client: TestClient, trained: str, post: Callable[..., str]
) -> None:
    file, other = listed(client, trained).items[0], post()
    assert client.get(f"/experiments/{other}/checkpoints/{file.sha256}.safetensors").status_code == 404
