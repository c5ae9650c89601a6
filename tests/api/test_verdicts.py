"""Verdicts over HTTP: on cells that were really trained, on those to come, and where there is nothing to judge."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batchlab.cell import Cell
from batchlab.engines.reference import Reference
from batchlab_client import models
from batchlab_db import claims
from fastapi.testclient import TestClient
from hand import SPEC, Hand

Post = Callable[..., str]
ENDS = {"a": {"batch_size": "largest"}, "b": {"batch_size": "smallest"}}
TRUE = {
    "kind": "compare",
    "quantity": "best_val_loss",
    **ENDS,
    "direction": "greater",
    "scale": "log_ratio",
    "smallest": 0.1,
}
CLAIMS = [
    {"id": "rises", "text": "The large batch ends at a larger loss.", "test": TRUE},
    {"id": "falls", "text": "The large batch ends at a smaller loss.", "test": TRUE | {"direction": "less"}},
    {"id": "slow", "text": "A large batch takes longer.", "test": TRUE | {"quantity": "seconds_per_update"}},
    {"id": "untested", "text": "Nobody has said how."},
]


def train(hand: Hand) -> None:
    """Train every cell that can be claimed, by the reference."""
    while (lease := hand.claim()) is not None:
        [leased] = lease.cells
        cell = Cell.model_validate_json(json.dumps(leased.point))
        for block, _ in Reference().train([cell], cell.dataset.load(Path())):
            claims.record(hand.engine, lease, block, b"state")


def verdicts(client: TestClient, id: str) -> models.Verdicts:
    return models.Verdicts.model_validate(client.get(f"/experiments/{id}/verdicts").json())


def test_a_true_claim_is_supported_a_false_one_contradicted_and_disturbed_seconds_decide_nothing(
    client: TestClient, post: Post, hand: Hand
) -> None:
    id = post(seeds=3, batch_sizes=[8, 100], budget={"epochs": 2}, claims=CLAIMS)
    before = verdicts(client, id)
    assert (before.preliminary, {claim.verdict for claim in before.claims}) == (True, {"inconclusive"})
    train(hand)
    found = verdicts(client, id)
    assert [claim.verdict for claim in found.claims] == ["supported", "contradicted", "inconclusive", "inconclusive"]
    rises, falls, slow, _ = found.claims
    assert not found.preliminary
    assert rises.effect == falls.effect and rises.ci95 is not None and rises.ci95[0] > 0.1
    assert (rises.n, rises.cells, rises.smallest_effect) == (3, [0, 1, 2, 3, 4, 5], 0.1)
    assert slow.left_out == {"whose seconds are not its own (post with isolated: true)": 6}


def test_one_seed_is_inconclusive(client: TestClient, post: Post, hand: Hand) -> None:
    id = post(seeds=1, batch_sizes=[4, 100], claims=CLAIMS[:1])
    hand.train()
    (found,) = verdicts(client, id).claims
    assert (found.verdict, found.n, found.ci95) == ("inconclusive", 1, None)
    assert "fewer than 3" in found.reason


def test_a_claim_can_speak_of_curves(client: TestClient, post: Post, hand: Hand) -> None:
    reached = {"kind": "reached", "metric": "val_loss", "at_most": 0.02}
    test = {"kind": "exceeds", "quantity": reached, "number": 60, "direction": "less"}
    id = post(seeds=3, claims=[{"id": "soon", "text": "It gets there soon.", "test": test}])
    hand.train()
    (found,) = verdicts(client, id).claims
    assert (found.verdict, found.effect) == ("supported", -10.0)


def test_the_claims_of_a_study_are_judged_without_being_in_the_spec(client: TestClient, hand: Hand) -> None:
    id = client.post("/studies/grad-norm-vs-batch/experiments", json={"size": "smoke"}).json()["id"]
    found = verdicts(client, id)
    assert [claim.id for claim in found.claims] == ["norm-falls", "norm-rises-first", "loss-rises"]
    assert found.claims[0].source == "figure 6.7.1"


def test_verdicts_have_a_tag_and_an_unknown_experiment_has_none(client: TestClient, post: Post) -> None:
    path = f"/experiments/{post()}/verdicts"
    answer = client.get(path)
    assert answer.json() == {"claims": [], "preliminary": True}
    assert client.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert client.get("/experiments/none/verdicts").status_code == 404
    assert client.get("/experiments/none/power?metric=y&difference=1").status_code == 404


def test_power_says_what_is_known_of_each_pair_of_neighbours(client: TestClient, post: Post, hand: Hand) -> None:
    id = post(seeds=3)
    hand.train()
    asked = {"metric": "val_loss", "difference": 0.01}
    found = models.Power.model_validate(client.get(f"/experiments/{id}/power", params=asked).json())
    (pair,) = found.pairs
    assert (pair.a["batch_size"], pair.b["batch_size"], pair.n) == (4, 16, 3)
    assert pair.mean == pytest.approx(1 / 16 - 1 / 4)
    assert (pair.seeds is None) == (found.seeds is None)


@pytest.mark.parametrize("query", ["", "metric=y", "metric=y&difference=0", "metric=y&difference=nan"])
def test_power_asks_for_a_metric_and_a_difference(client: TestClient, post: Post, query: str) -> None:
    assert client.get(f"/experiments/{post()}/power?{query}").status_code == 422


def test_a_claim_about_a_variant_that_there_is_not_is_refused(client: TestClient) -> None:
    test: dict[str, Any] = TRUE | {"a": {"variant": "none"}}
    answer = client.post("/experiments", json=SPEC | {"claims": [{"id": "a", "text": "A.", "test": test}]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["claims", 0, "test", "a", "variant"]


def test_a_table_of_the_study_shows_every_line_before_and_while_it_is_measured(client: TestClient, hand: Hand) -> None:
    made = client.post("/studies/small-vs-large-table/experiments", json={"size": "smoke"}).json()["id"]
    path = f"/studies/small-vs-large-table/experiments/{made}/table"
    found = models.Tables.model_validate(client.get(path).json())
    assert [(table.number, len(table.lines)) for table in found.tables] == [("6.7.2", 8), ("3.1", 6)]
    assert found.preliminary and found.tables[0].lines[0].small.says == "inconvenient"
    assert {line.small.mean for table in found.tables for line in table.lines} == {None}


def test_other_experiments_have_no_such_table(client: TestClient, post: Post) -> None:
    answer = client.get(f"/studies/small-vs-large-table/experiments/{post()}/table")
    assert answer.status_code == 404
    assert "not of the study" in answer.json()["detail"]
