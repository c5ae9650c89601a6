"""Curves: thinned, placed on an axis, merged over seeds, or raw as a file."""

import csv
import io
import math
from collections.abc import Callable

import numpy as np
import pyarrow.parquet as pq
import pytest
from batchlab_client import models
from fastapi.testclient import TestClient
from hand import SPEC, STEPS, Hand

Post = Callable[..., str]
N = 800
"""Training rows of the sectors: 200 updates an epoch at batch 4, 50 at batch 16."""


@pytest.fixture
def trained(post: Post, hand: Hand) -> str:
    """SPEC, trained to the end."""
    id = post()
    hand.train()
    return id


def curves(client: TestClient, id: str, **params: object) -> list[models.CurveSeries]:
    answer = client.get(f"/experiments/{id}/curves", params={key.rstrip("_"): value for key, value in params.items()})
    assert answer.status_code == 200, answer.text
    return models.Curves.model_validate(answer.json()).series


def test_a_short_series_comes_whole(client: TestClient, trained: str) -> None:
    found = curves(client, trained)
    assert [(s.metric, s.batch_size, s.seed) for s in found] == [
        ("loss", 4, 0),
        ("loss", 4, 1),
        ("loss", 16, 0),
        ("loss", 16, 1),
    ]
    one = found[2]
    assert (one.x, one.exact, one.level, one.n_raw) == (list(range(1, STEPS + 1)), True, 0, STEPS)
    assert one.mean == one.min == one.max == pytest.approx([16 + k / 1000 for k in range(1, STEPS + 1)], rel=1e-6)
    assert (one.lr, one.momentum, one.variant, one.diverged_at, one.n) == (0.5, 0.0, None, None, None)


def test_a_long_series_is_thinned_and_keeps_its_ends(client: TestClient, trained: str) -> None:
    [one] = curves(client, trained, points=20, batch_size=4, cells=curves(client, trained)[0].cell)
    assert len(one.x) <= 20 and (one.x[0], one.x[-1]) == (1, STEPS)
    assert (one.exact, one.level, one.n_raw) == (False, 1, STEPS)
    assert min(v for v in one.min if v is not None) == pytest.approx(4.001, rel=1e-6)


def test_evaluations_stand_at_their_updates(client: TestClient, trained: str) -> None:
    found = curves(client, trained, metrics="val_loss,val_accuracy", batch_size=16)
    assert [(s.metric, s.x) for s in found] == [
        (m, [0, 50, 100]) for m in ("val_loss", "val_accuracy") for _ in range(2)
    ]


def test_a_range_is_picked_before_it_is_thinned(client: TestClient, trained: str) -> None:
    [one, _] = curves(client, trained, batch_size=4, from_=30, to=40)
    assert one.x == list(range(30, 41)) and one.exact


@pytest.mark.parametrize(
    ("x", "batch", "last", "bound", "expected"),
    [
        ("epoch", 4, STEPS * 4 / N, 0.25, 50),
        ("examples", 4, STEPS * 4, 200, 50),
        ("examples", 16, STEPS * 16, 803, 50),
        ("seconds", 16, STEPS * 0.001, 0.0501, 50),
    ],
)
def test_points_stand_on_the_asked_axis_and_so_do_bounds(
    client: TestClient, trained: str, x: str, batch: int, last: float, bound: float, expected: int
) -> None:
    whole, *_ = curves(client, trained, x=x, batch_size=batch)
    assert whole.x[-1] == pytest.approx(last, rel=1e-4) and len(whole.x) == STEPS
    cut, *_ = curves(client, trained, x=x, batch_size=batch, to=bound)
    assert len(cut.x) == expected


def test_seeds_are_merged_at_equal_updates_with_an_interval(client: TestClient, trained: str) -> None:
    small, large = curves(client, trained, group="seed")
    assert (small.cell, small.seed, small.n) == (None, None, [2] * STEPS)
    assert (large.mean[0], large.min[0], large.max[0]) == pytest.approx((21.001, 16.001, 26.001), rel=1e-6)
    half = 12.7062 * math.sqrt(50) / math.sqrt(2)
    assert large.hi is not None and large.lo is not None
    assert (large.hi[0], large.lo[0]) == pytest.approx((21.001 + half, 21.001 - half), rel=1e-4)


def test_a_diverged_cell_shows_its_curve_up_to_there(client: TestClient, post: Post, hand: Hand) -> None:
    id = post(batch_sizes=[4])
    hand.train(60, most=1, diverge=True)
    hand.train()
    gone, whole = curves(client, id)
    assert (gone.diverged_at, gone.x[-1], gone.mean[-1], gone.mean[-2] is not None) == (60, 60, None, True)
    assert whole.diverged_at is None
    [merged] = curves(client, id, group="seed")
    assert merged.diverged_at == 60 and merged.n is not None and (merged.n[58], merged.n[59], merged.n[99]) == (2, 1, 1)
    assert merged.lo is not None and merged.lo[59] is None


def test_unknown_series_are_refused_with_those_there_are(client: TestClient, trained: str) -> None:
    answer = client.get(f"/experiments/{trained}/curves?metrics=loss,lost")
    assert answer.status_code == 422 and "lost" in answer.json()["detail"] and "grad_norm" in answer.json()["detail"]


WRONG = ["points=0", "x=weeks", "from=nan", "to=inf", "cells=a", "batch_size=1.5", "group=lr", "format=xls"]


@pytest.mark.parametrize("query", WRONG)
def test_wrong_parameters_are_refused(client: TestClient, trained: str, query: str) -> None:
    answer = client.get(f"/experiments/{trained}/curves?{query}")
    assert answer.status_code == 422 and answer.json()["detail"]


def test_cells_that_are_not_there_have_no_series(client: TestClient, trained: str) -> None:
    assert curves(client, trained, cells="999999999") == []
    assert curves(client, trained, batch_size="5") == []


def test_too_many_points_are_refused_with_the_number(serve: Callable[..., TestClient]) -> None:
    client = serve(max_points=100)
    id = client.post("/experiments", json=SPEC).json()["id"]
    answer = client.get(f"/experiments/{id}/curves?points=50&metrics=loss,lr")
    assert (answer.status_code, answer.json()["points"], answer.json()["max_points"]) == (422, 400, 100)
    assert "400" in answer.json()["detail"]
    assert client.get(f"/experiments/{id}/curves?points=25").status_code == 200
    assert client.get(f"/experiments/{id}/curves?points=1000000000&format=csv").status_code == 200


def test_raw_values_come_as_csv_and_parquet(client: TestClient, trained: str) -> None:
    address = f"/experiments/{trained}/curves?metrics=loss,val_loss&batch_size=16&from=90"
    text = client.get(f"{address}&format=csv")
    assert text.headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(text.text)))
    table = pq.read_table(io.BytesIO(client.get(f"{address}&format=parquet").content)).to_pylist()
    assert len(lines) == len(table) == 2 * 11 + 2
    assert [(line["metric"], int(line["step"]), int(line["seed"])) for line in lines] == [
        (row["metric"], row["step"], row["seed"]) for row in table
    ]
    first = table[0]
    assert (first["step"], first["examples"], first["epoch"]) == (90, 1440, 1.8)
    assert np.float32(first["value"]) == np.float32(lines[0]["value"]) == np.float32(16.09)


def test_a_series_not_yet_begun_is_an_empty_file(client: TestClient, post: Post) -> None:
    address = f"/experiments/{post()}/curves?format="
    assert client.get(address + "csv").text.startswith("cell,metric,variant")
    assert pq.read_table(io.BytesIO(client.get(address + "parquet").content)).num_rows == 0
