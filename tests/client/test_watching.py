"""Following an experiment by its events, and without them."""

import json
from typing import Any

import pytest
from batchlab_client import Client, NotFoundError, WaitTimeoutError, models
from batchlab_client.events import read

from .conftest import Script
from .test_transport import problem

CELLS = {"queued": 0, "running": 1, "succeeded": 0, "diverged": 0, "failed": 0, "cancelled": 0}


def experiment(status: str, done: int = 0) -> dict[str, Any]:
    progress = {"cells": CELLS, "updates_done": done, "updates_total": 10, "eta_seconds": None}
    times = {"created_at": "2026-01-01T00:00:00Z", "started_at": None, "finished_at": None}
    names = {"id": "a", "name": "x", "note": "", "tags": [], "study": None, "error": None, "links": {}}
    return {**names, **times, "status": status, "progress": progress, "spec": {}, "metrics": {}}


def event(name: str, data: dict[str, Any], id: str = "") -> str:
    return f"event: {name}\nid: {id}\ndata: {json.dumps(data)}\n\n"


PROGRESS = {"cells": CELLS, "updates_done": 5, "updates_total": 10, "eta_seconds": 1.0}
FINISHED = event("bye", {"reason": "finished"}, "9")


def test_events_are_read_as_the_standard_says() -> None:
    lines = [
        "retry: 2000",
        "",
        ": ping",
        "event:status",
        "id: 3",
        'data: {"status": "running",',
        'data: "error": null}',
        "",
    ]
    ping, status = read([*lines, "event: news", "data: {}", ""])
    assert ping.name == "ping"
    assert (status.name, status.id, status.data) == ("status", "3", models.StatusEvent(status="running", error=None))


def test_a_broken_stream_is_taken_up_where_it_broke(script: Script) -> None:
    script.then(200, event("progress", PROGRESS, "7")).then(200, FINISHED)
    with Client(script.url) as client:
        assert [event.name for event in client.events("a")] == ["progress", "bye"]
    assert script.seen[1][2]["Last-Event-ID"] == "7"


def test_a_server_that_stops_is_waited_for(script: Script) -> None:
    script.then(200, event("bye", {"reason": "stopping"})).then(503, problem(503)).then(200, FINISHED)
    with Client(script.url) as client:
        assert [event.name for event in client.events("a")] == ["bye", "bye"]


def test_waiting_ends_with_the_finished_experiment(script: Script) -> None:
    script.then(200, experiment("queued")).then(200, event("progress", PROGRESS))
    script.then(200, experiment("running", 5)).then(200, experiment("succeeded", 10))
    seen: list[str] = []
    with Client(script.url) as client:
        done = client.wait("a", on_change=lambda e: seen.append(e.status))
    assert done.status == "succeeded"
    assert seen == ["queued", "running", "succeeded"]


def test_without_a_stream_the_server_is_asked_again_and_again(script: Script) -> None:
    script.then(200, experiment("queued")).then(503, problem(503)).then(200, experiment("succeeded"))
    with Client(script.url) as client:
        assert client.wait("a").status == "succeeded"
    assert [path for _, path, _, _ in script.seen] == ["/experiments/a", "/experiments/a/events", "/experiments/a"]


def test_waiting_gives_up_when_it_was_told_to(script: Script) -> None:
    script.then(200, experiment("queued"))
    with Client(script.url) as client, pytest.raises(WaitTimeoutError, match=r"queued after 0\.1 s"):
        client.wait("a", timeout=0.1)


def test_an_experiment_that_is_not_there_is_not_waited_for(script: Script) -> None:
    script.then(404, problem(404))
    with Client(script.url) as client:
        with pytest.raises(NotFoundError):
            client.wait("a")
        with pytest.raises(NotFoundError):
            list(client.events("a"))
