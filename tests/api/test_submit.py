"""Posting experiments: stored once, planned, refused with every fault and its path."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batchlab import cost
from batchlab.expand import expand
from batchlab.spec import parse_spec
from batchlab_client import models
from batchlab_db import disk, workers
from batchlab_db.settings import Settings
from fastapi.testclient import TestClient
from hand import SPEC, Hand
from sqlalchemy import text

Serve = Callable[..., TestClient]


def faults(answer: Any) -> dict[str, str]:
    """Path -> message of a refused post."""
    assert answer.status_code == 422, answer.text
    problem = models.Problem.model_validate(answer.json())
    return {fault.pointer: fault.msg for fault in problem.errors or []}


def count(client: TestClient) -> int:
    return len(client.get("/experiments").json()["items"])


def test_a_posted_experiment_is_stored_with_its_cells(client: TestClient) -> None:
    answer = client.post("/experiments", json=SPEC)
    assert answer.status_code == 202
    made = models.Submitted.model_validate(answer.json())
    assert (made.name, made.status, made.cells, made.updates) == ("small", "queued", 4, 400)
    assert answer.headers["Location"] == made.links["self"] == f"/experiments/{made.id}"
    shown = models.Experiment.model_validate(client.get(answer.headers["Location"]).json())
    assert shown.spec["batch_sizes"] == [4, 16] and shown.progress.cells.queued == 4
    assert shown.metrics["loss"] == "nats" and shown.metrics["step_seconds"] == "s"


def test_the_contracts_example_has_its_numbers(client: TestClient) -> None:
    example = {"name": "fig-6.7.1", "dataset": {"kind": "sectors"}, "model": {"kind": "softmax"},
               "batch_sizes": [1, 2, 4, "10%", "full"], "lr": {"rule": "fixed", "base": 0.5}, "momentum": [0.0],
               "budget": {"epochs": 500}, "seeds": 5, "evaluate": {"every_steps": 80}}  # fmt: skip
    report = models.PlanReport.model_validate(client.post("/experiments?dry_run=true", json=example).json())
    assert (report.cells, report.updates) == (25, 3_527_500)


def test_a_dry_run_stores_nothing(client: TestClient, hand: Hand) -> None:
    cells = expand(parse_spec(SPEC))
    seconds = sum(cost.seconds(cell, "compiled") + cell.steps * cost.stored(cell) for cell in cells)
    hand.arrive(speed=seconds / 2)
    answer = client.post("/experiments", params={"dry_run": "true"}, json=SPEC)
    assert answer.status_code == 200
    report = models.PlanReport.model_validate(answer.json())
    assert (report.cells, report.updates, report.warnings) == (4, 400, [])
    assert report.eta_seconds == pytest.approx(2.0)
    assert report.storage > 0
    assert count(client) == 0


def test_the_time_left_is_unknown_while_no_worker_has_measured_any(client: TestClient) -> None:
    assert client.post("/experiments?dry_run=1", json=SPEC).json()["eta_seconds"] is None


def test_the_rates_that_a_worker_measured_give_the_time_before_anything_was_trained(
    client: TestClient, hand: Hand
) -> None:
    slow = cost.Rates(reference=cost.Costs(update=2.0), compiled=cost.Costs(update=1.0), stacked=cost.Costs(update=3.0))
    hand.me = replace(hand.me, fingerprint={"rates": {"cpu": slow.model_dump(mode="json")}})
    hand.arrive()
    cells = expand(parse_spec(SPEC))
    told = client.post("/experiments?dry_run=1", json=SPEC).json()["eta_seconds"]
    assert told == pytest.approx(
        sum(cost.seconds(cell, "compiled", rates=slow) + cell.steps * cost.stored(cell) for cell in cells)
    )
    made = client.post("/experiments", json=SPEC).json()["id"]
    with hand.engine.connect() as connection:
        stored = text("SELECT work FROM cells WHERE experiment_id = :id ORDER BY ordinal")
        work = connection.scalars(stored, {"id": made})
        assert [*work] == pytest.approx(
            [cost.of_an_update(cell, "compiled", rates=slow) + cost.stored(cell) for cell in cells]
        )


def test_rates_of_another_version_are_no_rates(client: TestClient, hand: Hand) -> None:
    hand.me = replace(hand.me, fingerprint={"rates": {"cpu": {"colour": 3}}})
    hand.arrive()
    assert client.post("/experiments?dry_run=1", json=SPEC).json()["eta_seconds"] is None
    assert client.post("/experiments", json=SPEC).status_code == 202


def test_the_same_key_and_body_give_the_same_experiment(client: TestClient) -> None:
    headers = {"Idempotency-Key": "one"}
    first = client.post("/experiments", json=SPEC, headers=headers).json()
    reordered = dict(reversed(SPEC.items()))
    again = client.post("/experiments", json=reordered, headers=headers)
    assert again.status_code == 202 and again.json()["id"] == first["id"]
    assert count(client) == 1


def test_the_same_key_with_another_body_is_refused(client: TestClient) -> None:
    headers = {"Idempotency-Key": "one"}
    client.post("/experiments", json=SPEC, headers=headers)
    answer = client.post("/experiments", json=SPEC | {"seeds": 3}, headers=headers)
    assert answer.status_code == 409 and answer.json()["type"] == "/docs#idempotency-key-reused"
    assert count(client) == 1


def test_many_posts_with_one_key_at_once_make_one_experiment(client: TestClient) -> None:
    def send(_: int) -> str:
        return str(client.post("/experiments", json=SPEC, headers={"Idempotency-Key": "k"}).json()["id"])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(send, range(16)))) == 1
    assert count(client) == 1


def test_a_repeated_post_tells_the_present_status(client: TestClient) -> None:
    headers = {"Idempotency-Key": "one"}
    id = client.post("/experiments", json=SPEC, headers=headers).json()["id"]
    client.post(f"/experiments/{id}/cancel")
    assert client.post("/experiments", json=SPEC, headers=headers).json()["status"] == "cancelled"


def test_every_fault_of_a_spec_is_named_with_its_path(client: TestClient) -> None:
    wrong = SPEC | {"batch_sizes": [4, -1], "colour": "red", "lr": {"rule": "fixed", "base": 0}}
    found = faults(client.post("/experiments", json=wrong))
    assert set(found) == {"/batch_sizes/1", "/colour", "/lr/base"}
    assert "remove" in found["/colour"]


def test_a_problem_has_everything_that_the_standard_asks_for(client: TestClient) -> None:
    answer = client.post("/experiments", json=SPEC | {"colour": "red"})
    problem = models.Problem.model_validate(answer.json())
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (problem.type, problem.status) == ("/docs#bad-spec", 422)
    assert problem.request_id == answer.headers["X-Request-Id"]
    assert [fault.loc for fault in problem.errors or []] == [["colour"]]


def test_a_schema_address_within_the_spec_is_ignored(client: TestClient) -> None:
    assert client.post("/experiments", json={"$schema": "http://x/schema", **SPEC}).status_code == 202


def test_ten_to_the_nine_cells_are_refused_with_the_number(client: TestClient) -> None:
    many = [0.001 * k for k in range(1, 1001)]
    wide = SPEC | {"lr": {"rule": "list", "values": many}, "momentum": [k / 1001 for k in range(1000)], "seeds": 500}
    answer = client.post("/experiments", json=wide)
    assert answer.json()["type"] == "/docs#too-large"
    assert "1000000000 cells" in faults(answer)[""] + answer.json()["detail"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"3", b'"text"', b"null", b'{"name": NaN}', b"{" * 40, b"\x00", b'{"name": "\\u0000"}']
)
def test_no_body_brings_the_server_down(client: TestClient, body: bytes) -> None:
    answer = client.post("/experiments", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422 and answer.headers["Content-Type"] == "application/problem+json"


def test_the_answer_warns_where_no_worker_is_alive(client: TestClient) -> None:
    assert "no worker is alive" in client.post("/experiments", json=SPEC).json()["warnings"][0]


def test_the_answer_warns_where_no_living_worker_has_the_data_or_the_device(client: TestClient, hand: Hand) -> None:
    hand.arrive()
    assert client.post("/experiments", json=SPEC).json()["warnings"] == []
    other = SPEC | {"dataset": {"kind": "digits"}, "device": "cuda:0"}
    data, device = sorted(client.post("/experiments", json=other).json()["warnings"], reverse=True)
    assert "digits" in device + data and "cuda:0" in device + data
    card = replace(hand.me, id="card", queues=("gpu",), device="cuda:1")
    workers.register(hand.engine, card)
    for device, missing in (("cuda", 0), ("cuda:1", 0), ("cuda:0", 1)):
        warned = client.post("/experiments?dry_run=true", json=SPEC | {"device": device}).json()["warnings"]
        assert [f"device {device}" in warning for warning in warned] == [True] * missing


def test_experiments_are_taken_while_the_broker_is_away(serve: Serve, tmp_path: Path) -> None:
    away = Settings(broker_url=f"redis+socket://{tmp_path}/nobody.sock").broker_url
    answer = serve(broker_url=away).post("/experiments", json=SPEC)
    assert answer.status_code == 202


def test_nothing_new_is_taken_when_the_disk_is_nearly_full(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "space", lambda volume: disk.Space(free=99, total=10**12))
    client = serve(database_volume=tmp_path)
    answer = client.post("/experiments", json=SPEC)
    assert answer.status_code == 507
    assert (answer.json()["type"], answer.json()["free_bytes"], answer.json()["needed_bytes"]) == (
        "/docs#disk-full",
        99,
        10**11,
    )
    assert count(client) == 0
    assert client.post("/experiments?dry_run=true", json=SPEC).status_code == 200
