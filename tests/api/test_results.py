"""Results: by cell, averaged over seeds, and as files."""

import csv
import io
from collections.abc import Callable

import pyarrow.parquet as pq
import pytest
from batchlab_api import tables
from batchlab_client import models
from fastapi.testclient import TestClient
from hand import STEPS, Hand

Post = Callable[..., str]


def results(client: TestClient, id: str) -> models.Results:
    return models.Results.model_validate(client.get(f"/experiments/{id}/results").json())


def test_groups_average_over_seeds_with_intervals(client: TestClient, post: Post, hand: Hand) -> None:
    id = post()
    hand.train()
    found = results(client, id)
    assert [cell.status for cell in found.cells] == ["succeeded"] * 4
    [small, large] = found.groups
    assert small.by == {"variant": None, "batch_size": 4, "lr": 0.5, "momentum": 0.0} and small.n == 2
    estimate = large.val_loss
    assert estimate.mean == pytest.approx(0.5 + 1 / 16) and estimate.sd == pytest.approx(0.5**0.5)
    assert estimate.ci95 is not None and estimate.ci95[1] - estimate.ci95[0] == pytest.approx(
        2 * 12.706 * 0.5, rel=1e-4
    )
    assert "timing" not in large.metrics


def test_one_seed_has_no_interval(client: TestClient, post: Post, hand: Hand) -> None:
    id = post(seeds=1)
    hand.train()
    raw = client.get(f"/experiments/{id}/results").json()["groups"][0]
    assert (raw["val_loss"]["sd"], raw["val_loss"]["ci95"]) == (None, None)


def test_a_diverged_cell_has_null_for_its_final_values(client: TestClient, post: Post, hand: Hand) -> None:
    id = post(batch_sizes=[4])
    hand.train(60, most=1, diverge=True)
    hand.train()
    found = results(client, id)
    assert [cell.status for cell in found.cells] == ["diverged", "succeeded"]
    assert found.cells[0].result == {"val_loss": None, "val_accuracy": None, "diverged_at": 60}
    assert (found.groups[0].n, found.groups[0].n_diverged, found.groups[0].n_failed) == (1, 1, 0)
    assert client.get(f"/experiments/{id}").json()["status"] == "succeeded"


def test_results_come_as_csv_and_as_parquet_with_the_same_numbers(client: TestClient, post: Post, hand: Hand) -> None:
    id = post()
    hand.train()
    text = client.get(f"/experiments/{id}/results?format=csv")
    assert text.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert text.headers["Content-Disposition"] == f'attachment; filename="{id}-results.csv"'
    lines = list(csv.DictReader(io.StringIO(text.text)))
    table = pq.read_table(io.BytesIO(client.get(f"/experiments/{id}/results?format=parquet").content)).to_pylist()
    assert [float(line["val_loss"]) for line in lines] == [row["val_loss"] for row in table]
    assert [int(line["batch_size"]) for line in lines] == [row["batch_size"] for row in table] == [4, 4, 16, 16]
    assert table[0]["updates"] == STEPS and table[0]["status"] == "succeeded"
    assert client.get(f"/experiments/{id}/results?format=xlsx").status_code == 422


def test_unfinished_experiments_have_results_too(client: TestClient, post: Post) -> None:
    id = post()
    found = results(client, id)
    assert [group.n for group in found.groups] == [0, 0] and found.cells[0].result is None
    assert client.get(f"/experiments/{id}/results?format=csv").text.count("\r\n") == 5
    assert pq.read_table(io.BytesIO(client.get(f"/experiments/{id}/results?format=parquet").content)).num_rows == 4


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_text_becomes_a_formula_in_a_spreadsheet(text: str) -> None:
    _, line = tables.csv_lines(["message"], [[text]])
    assert next(csv.reader([line])) == [f"'{text}"]


def test_numbers_stay_numbers_and_quotes_are_kept() -> None:
    _, line = tables.csv_lines(["a", "b", "c"], [[-1.5, None, 'say "hi", you\n']])
    assert line == '-1.5,,"say ""hi"", you\n"\r\n'


def test_a_parquet_file_can_be_sent_piece_by_piece() -> None:
    file = tables.ParquetStream({"step": "int64", "name": "string"})
    pieces = [file.add({"step": [1, 2], "name": ["a", None]}), file.add({"step": [3], "name": ["b"]}), file.end()]
    assert all(pieces)
    rows = pq.read_table(io.BytesIO(b"".join(pieces))).to_pylist()
    assert rows == [{"step": 1, "name": "a"}, {"step": 2, "name": None}, {"step": 3, "name": "b"}]
