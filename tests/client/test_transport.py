"""What the client repeats, what it does not, and which errors it raises."""

import json
import socket
from typing import Any

import pytest
from batchlab_client import (
    BadSpecError,
    Client,
    ConflictError,
    NotFoundError,
    NotReachedError,
    RefusedError,
    ServerFailedError,
    TokenNeededError,
)

from .conftest import Script

SPEC = {"name": "x"}
MADE = {"id": "a", "name": "x", "status": "queued", "cells": 1, "updates": 1, "warnings": [], "links": {}}


def problem(status: int, **more: Any) -> dict[str, Any]:
    return {"type": "/docs#x", "title": "No", "status": status, "detail": "because", "request_id": "r1", **more}


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_post_is_repeated_under_one_key_until_it_is_answered(script: Script) -> None:
    script.then(0).then(503, problem(503)).then(202, MADE)
    with Client(script.url) as client:
        assert client.submit(SPEC).id == "a"
    keys = {headers["Idempotency-Key"] for _, _, headers, _ in script.seen}
    assert len(script.seen) == 3
    assert len(keys) == 1


def test_two_posts_have_two_keys(script: Script) -> None:
    script.then(202, MADE)
    with Client(script.url) as client:
        client.submit(SPEC)
        client.submit(SPEC)
    assert len({headers["Idempotency-Key"] for _, _, headers, _ in script.seen}) == 2


def test_what_must_not_happen_twice_is_not_repeated(script: Script) -> None:
    script.then(0)
    with Client(script.url) as client, pytest.raises(NotReachedError):
        client.add_seeds("a", 2)
    assert len(script.seen) == 1


def test_a_server_that_is_not_there_is_named_with_the_remedy() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    with Client(url, patience=0) as client, pytest.raises(NotReachedError, match="batchlab up") as caught:
        client.get("a")
    assert url in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, TokenNeededError),
        (404, NotFoundError),
        (409, ConflictError),
        (413, RefusedError),
        (422, BadSpecError),
        (500, ServerFailedError),
        (507, ServerFailedError),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[RefusedError], script: Script) -> None:
    script.then(status, problem(status))
    with Client(script.url) as client, pytest.raises(RefusedError) as caught:
        client.get("a")
    assert type(caught.value) is kind
    assert len(script.seen) == 1


def test_every_fault_of_a_spec_is_told_once_with_its_path(script: Script) -> None:
    faults = [{"loc": ["lr", "base"], "msg": "must be above 0", "pointer": "/lr/base"}]
    script.then(422, problem(422, errors=faults) | {"detail": "lr.base must be above 0"})
    with Client(script.url) as client, pytest.raises(BadSpecError) as caught:
        client.submit(SPEC)
    assert str(caught.value) == "No\n  lr.base: must be above 0"


def test_an_answer_of_another_server_is_no_crash(script: Script) -> None:
    script.then(404, "<html>not here</html>")
    with Client(script.url) as client, pytest.raises(NotFoundError, match="is the address right"):
        client.get("a")


def test_the_token_is_sent_and_stands_in_no_error(script: Script) -> None:
    script.then(401, problem(401))
    with Client(script.url, "bl_secret") as client, pytest.raises(TokenNeededError) as caught:
        client.get("a")
    assert script.seen[0][2]["Authorization"] == "Bearer bl_secret"
    assert "bl_secret" not in str(caught.value)


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    script.then(202, MADE)
    with Client(script.url) as client:
        assert client.submit(SPEC).id == "a"


def test_pages_are_followed_to_their_end(script: Script) -> None:
    row = {"id": "c", "ordinal": 0, "variant": None, "batch_size": 1, "lr": 0.1, "momentum": None, "seed": 0}
    row |= {"params": {}, "status": "queued", "cause": None, "message": None, "engine": None, "shared_with": None}
    row |= {"environment": None, "steps_done": 0, "steps_total": 1, "result": None}
    script.then(200, {"items": [row], "next": "more"}).then(200, {"items": [row], "next": None})
    with Client(script.url) as client:
        assert len(client.cells("a")) == 2
    assert [path for _, path, _, _ in script.seen] == ["/experiments/a/cells", "/experiments/a/cells?cursor=more"]


def test_a_failing_part_is_an_answer_and_no_error(script: Script) -> None:
    parts = {"broker": {"ok": False, "detail": "away"}}
    script.then(503, problem(503, parts=parts))
    with Client(script.url) as client:
        health = client.health()
    assert health.status == "failing"
    assert not health.parts["broker"].ok


def test_a_study_is_posted_with_its_changes(script: Script) -> None:
    script.then(202, MADE)
    with Client(script.url) as client:
        client.run_study("s", {"seeds": 1}, size="smoke")
    assert json.loads(script.seen[0][3]) == {"seeds": 1, "size": "smoke"}
