"""A real server process: events over a real connection, a stop that nothing holds up, addresses that are refused."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from batchlab_api.__main__ import refusal
from batchlab_client import models
from batchlab_db.settings import Settings
from hand import SPEC, STEPS, TOKEN, Hand
from pydantic import SecretStr
from serving import PATIENCE, Listener, Server, until

Start = Callable[..., Server]


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def make(*arguments: str, **more: str) -> Server:
            server = Server(environment | more, tmp_path, *arguments)
            stack.callback(server.close)
            return server.wait()

        yield make


def submit(server: Server, **changes: Any) -> str:
    one = {"batch_sizes": [4], "seeds": 1}
    return str(server.client.post("/experiments", json=SPEC | one | changes).json()["id"])


def test_a_stream_tells_points_as_they_come_and_ends_with_the_experiment(start: Start, hand: Hand) -> None:
    server = start()
    id = submit(server)
    listener = Listener(server, f"/experiments/{id}/events?metrics=loss,val_loss")
    listener.until(lambda events: len(events) >= 2)
    assert listener.named("status") == [{"status": "queued", "error": None}]
    lease = hand.claim()
    assert lease is not None
    hand.step(lease, 40)
    listener.until(lambda events: [e for e in events if e[0] == "curves"])
    hand.train()
    listener.join(PATIENCE)
    losses = [x for told in listener.named("curves") for s in told["series"] if s["metric"] == "loss" for x in s["x"]]
    assert losses == list(range(1, STEPS + 1))
    assert sorted(set(listener.xs()) - set(losses)) == [0.0], "and the evaluations, the first one before any update"
    assert listener.named("status")[-1]["status"] == "succeeded"
    assert models.Progress.model_validate(listener.named("progress")[-1]).updates_done == STEPS
    assert listener.events[-1][:2] == ("bye", {"reason": "finished"})
    assert all(id for _, _, id in listener.events)
    assert listener.headers["content-type"].startswith("text/event-stream")
    assert listener.headers["cache-control"] == "no-cache, no-transform"
    assert listener.headers["x-accel-buffering"] == "no"


def test_a_stream_resumes_after_the_last_event_that_came(start: Start, hand: Hand) -> None:
    server = start()
    id = submit(server)
    first = Listener(server, f"/experiments/{id}/events")
    first.until(lambda events: len(events) >= 2)
    hand.train(40, most=1)
    last = first.until(lambda events: [e[2] for e in events if e[0] == "curves"])[-1]
    told = first.xs()
    hand.train(70, most=1)
    second = Listener(server, f"/experiments/{id}/events", **{"Last-Event-ID": last})
    second.until(lambda events: [e for e in events if e[0] == "curves"])
    hand.train()
    second.join(PATIENCE)
    assert told + second.xs() == list(range(1, STEPS + 1))
    assert second.named("rewind") == []


def test_a_late_listener_may_ask_for_all_points_and_one_with_an_unknown_id_gets_them(start: Start, hand: Hand) -> None:
    server = start()
    id = submit(server)
    hand.train(80, most=1)
    late = Listener(server, f"/experiments/{id}/events?metrics=val_loss&after=-1&x=epoch")
    late.until(lambda events: [e for e in events if e[0] == "curves"])
    assert late.xs() == [0.0, 0.25]
    hand.train()
    lost = Listener(server, f"/experiments/{id}/events", **{"Last-Event-ID": "of another server"})
    lost.join(PATIENCE)
    assert lost.named("rewind")[0]["step"] == 0
    assert lost.xs() == list(range(1, STEPS + 1))


def test_open_pages_do_not_hold_up_a_stop(start: Start) -> None:
    server = start()
    id = submit(server)
    listeners = [Listener(server, f"/experiments/{id}/events") for _ in range(20)]
    for listener in listeners:
        listener.until(lambda events: len(events) >= 2)
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 6.0
    for listener in listeners:
        listener.join(PATIENCE)
        assert listener.events[-1][:2] == ("bye", {"reason": "stopping"})


def test_an_interrupt_is_a_clean_end_too(start: Start) -> None:
    server = start()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(PATIENCE) == 0


def test_more_streams_than_allowed_are_asked_to_come_again_until_one_is_closed(start: Start) -> None:
    server = start(BATCHLAB_MAX_STREAMS="1")
    address = f"/experiments/{submit(server)}/events"
    for _ in range(2):
        with server.client.stream("GET", address) as answer:
            lines = answer.iter_lines()
            assert next(lines).startswith("event: ")
            refused = server.client.get(address)
            assert (refused.status_code, refused.json()["type"]) == (503, "/docs#busy")
            assert refused.headers["Retry-After"]
        until(lambda: "batchlab_sse_streams 0.0" in server.client.get("/metrics").text)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "lab.example"])
def test_without_a_token_no_other_address_is_served(settings: Settings, host: str) -> None:
    assert "BATCHLAB_TOKEN" in (refusal(settings, host) or "")
    assert refusal(settings.model_copy(update={"token": SecretStr("")}), host)
    assert refusal(settings.model_copy(update={"token": SecretStr(TOKEN)}), host) is None
    assert refusal(settings, "127.0.0.1") is None


def test_a_refused_address_ends_with_one_clear_sentence(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "batchlab_api", "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert "BATCHLAB_TOKEN" in done.stderr and "Traceback" not in done.stderr


def test_a_server_on_every_address_wants_the_token_and_its_name(start: Start) -> None:
    server = start("--host", "0.0.0.0", BATCHLAB_TOKEN=TOKEN)
    refused = server.client.get("/experiments", headers={"Authorization": f"Bearer {TOKEN}x"})
    assert refused.status_code == 401
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert server.client.get("/experiments", headers=bearer).status_code == 200
    assert server.client.get("/experiments", headers={**bearer, "Host": "evil.test"}).status_code == 400
    assert server.stop() == 0
    text = server.log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    [found] = [line for line in lines if line.get("request_id") == refused.json()["request_id"]]
    assert (found["status"], found["path"]) == (401, "/experiments"), "the log knows the request by the problem's id"
    assert TOKEN not in text


def raw(server: Server, request: str) -> str:
    """Send bytes as they are; the answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode())
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer.decode()


FORGED = (
    "GET /health/live HTTP/1.0\n\n",
    "GET /health/live HTTP/1.1\nHost:\n\n",
    "GET /health/live HTTP/1.1\nHost: localhost\nHost: evil.test\n\n",
    "GET http://evil.test/health/live HTTP/1.1\nHost: localhost\n\n",
    "GET /health/live HTTP/1.1\nHost: a/?x=\n\n",
)


def test_forged_hosts_and_endless_bodies_are_refused_on_the_wire(start: Start) -> None:
    server = start(BATCHLAB_MAX_BODY_BYTES="1000")
    for request in FORGED:
        assert raw(server, request).startswith("HTTP/1.1 400"), request
    chunks = (b" " * 100 for _ in range(100))
    answer = server.client.post("/experiments", content=chunks, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (413, "/docs#body-too-large")
    assert "1000" in answer.json()["detail"]


def test_a_server_runs_without_torch(environment: dict[str, str], settings: Settings) -> None:
    code = (
        "import sys\n"
        "from batchlab_api.app import create_app\n"
        "from fastapi.testclient import TestClient\n"
        "with TestClient(create_app(), base_url='http://localhost') as client:\n"
        f"    id = client.post('/experiments', json={SPEC!r}).json()['id']\n"
        "    names = ('', '/cells', '/results', '/curves', '/plots', '/digest')\n"
        "    parts = [f'/experiments/{id}{name}' for name in names]\n"
        "    for path in (*parts, '/catalog', '/studies', '/datasets', '/schema/experiment.json', '/openapi.json'):\n"
        "        assert client.get(path).status_code == 200\n"
        "print(sorted({'torch', 'sklearn', 'pyarrow'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
