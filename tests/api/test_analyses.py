"""Analyses over HTTP: asked for, followed, taken away, cancelled; and how experiments and results show them."""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest
from batchlab_client import models
from batchlab_db.settings import Settings
from batchlab_worker.__main__ import make_bench
from batchlab_worker.app import run_next
from batchlab_worker.bench import Bench
from fastapi.testclient import TestClient
from hand import SPEC

Post = Callable[..., str]
MODEL = {"kind": "mlp", "widths": [8]}
SHARPNESS = {"kind": "sharpness", "params": {"measures": [{"kind": "average_case", "draws": 5}]}}
DENSITY = {"kind": "spectral_density", "params": {"steps": 5, "starts": 2, "rows": 100}}


@pytest.fixture
def bench(settings: Settings) -> Iterator[Bench]:
    made = make_bench(settings, "here", ["cpu"])
    yield made
    made.engine.dispose()


def work(bench: Bench) -> None:
    while run_next(bench) is not None:
        pass


@pytest.fixture
def trained(post: Post, bench: Bench) -> str:
    """Two trained cells with their last weights."""
    experiment = post(seeds=1, model=MODEL, checkpoints=[{"kind": "last"}])
    work(bench)
    return experiment


def ask(client: TestClient, experiment: str, **body: Any) -> list[models.Analysis]:
    answer = client.post(f"/experiments/{experiment}/analyses", json=body)
    assert answer.status_code == 202, answer.text
    return models.AnalysisList.model_validate(answer.json()).items


def shown(client: TestClient, experiment: str) -> models.Experiment:
    return models.Experiment.model_validate(client.get(f"/experiments/{experiment}").json())


def test_an_analysis_is_asked_for_done_and_shown(client: TestClient, trained: str, bench: Bench) -> None:
    asked = ask(client, trained, **SHARPNESS)
    assert [(one.status, one.kind, one.values) for one in asked] == [("queued", "sharpness", None)] * 2
    assert shown(client, trained).analyses == models.AnalysisCounts(queued=2)
    assert ask(client, trained, **SHARPNESS) == asked
    work(bench)
    done = models.AnalysisList.model_validate(client.get(f"/experiments/{trained}/analyses").json()).items
    assert [(one.id, one.status, one.fraction) for one in done] == [(one.id, "succeeded", 1.0) for one in asked]
    one = models.Analysis.model_validate(client.get(done[0].links["self"]).json())
    assert one == done[0]
    assert one.values is not None and one.meta is not None
    assert list(one.values) == ["average_case_0.01"] == list(one.meta["standard_error"])
    assert one.params["seed"] == 0
    assert shown(client, trained).analyses == models.AnalysisCounts(succeeded=2)
    assert ask(client, trained, **SHARPNESS) == done  # at once, and not computed again


def test_results_carry_what_was_found(client: TestClient, trained: str, bench: Bench) -> None:
    ask(client, trained, **SHARPNESS)
    work(bench)
    results = models.Results.model_validate(client.get(f"/experiments/{trained}/results").json())
    assert all(cell.analyses["sharpness"]["average_case_0.01"] > -1 for cell in results.cells)
    text = client.get(f"/experiments/{trained}/results", params={"format": "csv"}).text
    assert "sharpness.average_case_0.01" in text.splitlines()[0]


def test_claims_are_judged_by_analyses(client: TestClient, post: Post, bench: Bench) -> None:
    claim = {
        "id": "larger-is-sharper",
        "text": "The larger batch is sharper",
        "test": {
            "kind": "compare",
            "quantity": {"kind": "analysed", "analysis": "sharpness", "key": "average_case_0.01"},
            "a": {"batch_size": 16},
            "b": {"batch_size": 4},
            "direction": "greater",
        },
    }
    asked = {"kind": "sharpness", **SHARPNESS["params"]}  # type: ignore[dict-item]
    experiment = post(seeds=3, model=MODEL, analyses=[asked], claims=[claim])
    work(bench)
    [verdict] = client.get(f"/experiments/{experiment}/verdicts").json()["claims"]
    assert verdict["verdict"] in ("supported", "contradicted", "inconclusive")
    assert verdict["n"] == 3 or verdict["evidence"]


def test_arrays_are_json_csv_and_parquet(client: TestClient, trained: str, bench: Bench) -> None:
    [analysis, _] = ask(client, trained, **DENSITY)
    assert client.get(analysis.links["json"]).status_code == 404  # not there yet
    work(bench)
    arrays = client.get(analysis.links["json"]).json()
    numbers = {name: len(values) for name, values in arrays.items() if values and not isinstance(values[0], list)}
    assert numbers
    rows = list(csv.DictReader(io.StringIO(client.get(analysis.links["csv"]).text)))
    table = pq.read_table(io.BytesIO(client.get(analysis.links["parquet"]).content)).to_pylist()
    assert len(table) == len(rows)
    for name, n in numbers.items():
        own = [row for row in rows if row["array"] == name]
        assert [int(row["i"]) for row in own] == list(range(n))
        assert [float(row["value"]) for row in own] == pytest.approx(arrays[name])


def test_the_spec_may_ask_and_the_plan_says_how_many(client: TestClient, post: Post, bench: Bench) -> None:
    asked = {"model": MODEL, "analyses": [{"kind": "sharpness", **SHARPNESS["params"]}]}  # type: ignore[dict-item]
    assert client.post("/experiments?dry_run=true", json=SPEC | asked).json()["analyses"] == 4
    experiment = post(**asked)
    work(bench)
    assert shown(client, experiment).analyses == models.AnalysisCounts(succeeded=4)
    kept = client.get(f"/experiments/{experiment}/checkpoints").json()["items"]
    assert [one["labels"] for one in kept] == [["last"]] * 4


def test_an_analysis_is_cancelled_and_asked_for_again(client: TestClient, trained: str, bench: Bench) -> None:
    [analysis, other] = ask(client, trained, **SHARPNESS)
    cancelled = client.post(f"{analysis.links['self']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "cancelled")
    work(bench)
    assert client.get(analysis.links["self"]).json()["status"] == "cancelled"
    assert client.post(f"{other.links['self']}/cancel").status_code == 409
    assert [one.status for one in ask(client, trained, **SHARPNESS)] == ["queued", "succeeded"]


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        ({"kind": "sharpnes"}, 422, ["kind"]),
        ({"kind": "sharpness", "params": {"rows": 0}}, 422, ["params", "rows"]),
        ({"kind": "sharpness", "params": {"colour": 1}}, 422, ["params", "colour"]),
        ({"kind": "sharpness", "cells": ["99999999"]}, 404, None),
        ({"kind": "sharpness", "checkpoint": 17}, 409, None),
        ({"kind": "sharpness", "checkpoint": "best_val_loss"}, 409, None),
        ({}, 422, ["kind"]),
    ],
)
def test_what_cannot_be_analysed_is_refused_with_its_path(
    client: TestClient, trained: str, body: Any, status: int, where: list[str] | None
) -> None:
    answer = client.post(f"/experiments/{trained}/analyses", json=body)
    assert answer.status_code == status, answer.text
    if where is not None:
        assert answer.json()["errors"][0]["loc"] == where


@pytest.mark.parametrize("path", ["", "/abc", "/abc.json", "/abc.csv"])
def test_what_is_not_there_is_not_found(client: TestClient, trained: str, path: str) -> None:
    assert client.get(f"/experiments/nowhere/analyses{path}").status_code == 404
    if path:
        assert client.get(f"/experiments/{trained}/analyses{path}").status_code == 404
