"""Plots through the api: which there are, drawn once, in a process that can be ended."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from batchlab_api import renderer as rendering
from batchlab_api.draw import DrawingFailed, DrawingTooSlow, draw, draw_apart
from batchlab_api.problems import ProblemError
from batchlab_api.renderer import Renderer
from batchlab_client import models
from fastapi.testclient import TestClient
from hand import Hand

Post = Callable[..., str]
CHART: dict[str, Any] = {
    "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
    "data": {"values": [{"a": 1, "b": 2}]},
    "mark": "point",
    "encoding": {"x": {"field": "a", "type": "quantitative"}, "y": {"field": "b", "type": "quantitative"}},
}
MAGIC = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "html": b"<!DOCTYPE html>", "json": b"{"}


@pytest.fixture
def trained(post: Post, hand: Hand) -> str:
    id = post()
    hand.train()
    return id


def test_the_plots_of_an_experiment_are_listed_those_of_its_study_first(client: TestClient, hand: Hand) -> None:
    start = client.post(
        "/studies/time-per-update/experiments", json={"budget": {"steps": 100}}, params={"size": "smoke"}
    )
    listed = models.PlotList.model_validate(client.get(f"/experiments/{start.json()['id']}/plots").json()).items
    assert [plot.name for plot in listed][:2] == ["time-trends", "seconds-per-update"]
    assert set(listed[0].links) == set(MAGIC) and "grad-norm-vs-batch" not in {plot.name for plot in listed}


@pytest.mark.parametrize("format", MAGIC)
def test_a_plot_comes_in_every_format(client: TestClient, trained: str, format: str) -> None:
    answer = client.get(f"/experiments/{trained}/plots/grad-norm-vs-batch.{format}")
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(MAGIC[format])


def test_every_listed_plot_can_be_drawn(client: TestClient, trained: str) -> None:
    listed = client.get(f"/experiments/{trained}/plots").json()["items"]
    assert len(listed) > 4
    for plot in listed:
        chart = client.get(plot["links"]["json"])
        assert chart.status_code == 200, plot["name"]
        assert "vega-lite" in json.loads(chart.content)["$schema"]


def test_an_experiment_without_results_has_its_plots_too(client: TestClient, post: Post) -> None:
    for plot in client.get(f"/experiments/{post()}/plots").json()["items"]:
        assert client.get(plot["links"]["json"]).status_code == 200, plot["name"]


def test_a_picture_is_not_drawn_twice_nor_sent_twice(client: TestClient, post: Post, hand: Hand) -> None:
    id = post()
    address = f"/experiments/{id}/plots/loss-curves.svg"
    hand.train(40, most=1)
    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    hand.train(60, most=1)
    later = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert later.status_code == 200 and later.headers["ETag"] != first.headers["ETag"]
    wide = client.get(address, params={"width": 500})
    assert wide.headers["ETag"] != later.headers["ETag"]


def test_a_plots_page_may_run_its_own_scripts_but_reach_nothing(client: TestClient, trained: str) -> None:
    policy = client.get(f"/experiments/{trained}/plots/loss-curves.html").headers["Content-Security-Policy"]
    assert "sandbox allow-scripts" in policy and "default-src 'none'" in policy and "allow-same-origin" not in policy


@pytest.mark.parametrize(
    ("address", "status"),
    [("nothing.svg", 404), ("../x.svg", 404), ("loss-curves.gif", 422), ("loss-curves.svg?width=9", 422),
     ("loss-curves.svg?colour=red", 422), ("loss-curves.png?scale=1000", 422), ("%3Cscript%3E.svg", 422)],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(client: TestClient, trained: str, address: str, status: int) -> None:
    assert client.get(f"/experiments/{trained}/plots/{address}").status_code == status


def test_a_process_of_its_own_draws_the_same_picture() -> None:
    assert draw_apart(CHART, "svg") == draw(CHART, "svg")


def test_a_drawing_that_takes_too_long_is_ended() -> None:
    with pytest.raises(DrawingTooSlow):
        draw_apart(CHART, "svg", seconds=0.001)


def test_a_chart_that_cannot_be_drawn_says_why() -> None:
    with pytest.raises(DrawingFailed, match="Error"):
        draw_apart({"mark": 3}, "svg")


def test_pictures_are_kept_up_to_a_size_and_the_oldest_go_first() -> None:
    shelf = Renderer(kept_bytes=10)
    drawn = []

    def render(key: str, size: int) -> bytes:
        return shelf.get(key, lambda: drawn.append(key) or b"x" * size)  # type: ignore[func-returns-value]

    render("a", 4), render("b", 4), render("a", 4), render("c", 4)
    render("a", 4), render("b", 4)
    assert drawn == ["a", "b", "c", "b"]


def test_who_waits_for_the_same_picture_gets_the_one_that_was_drawn() -> None:
    shelf, begun, go = Renderer(), threading.Barrier(3), threading.Event()
    made: list[bytes] = []

    def render() -> bytes:
        begun.wait(10)
        go.wait(10)
        return b"slow"

    busy = [threading.Thread(target=shelf.get, args=(f"k{k}", render)) for k in range(rendering.AT_ONCE)]
    for thread in busy:
        thread.start()
    begun.wait(10)
    late = [threading.Thread(target=lambda: made.append(shelf.get("k0", lambda: b"again"))) for _ in range(2)]
    for thread in late:
        thread.start()
    go.set()
    for thread in (*busy, *late):
        thread.join(10)
    assert made == [b"slow", b"slow"]


def test_too_many_at_once_are_asked_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(rendering, "AT_ONCE", 1)
    shelf = Renderer()

    def outer() -> bytes:
        with pytest.raises(ProblemError) as refused:
            shelf.get("other", lambda: b"")
        assert refused.value.slug == "busy"
        return b"drawn"

    assert shelf.get("one", outer) == b"drawn"
    assert shelf.get("other", lambda: b"now") == b"now"
