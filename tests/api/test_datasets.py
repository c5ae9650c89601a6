"""Data sets over HTTP: adding one, naming it in a spec, deleting it; and files that mean harm."""

import io
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batchlab_client import models
from batchlab_db.settings import Settings
from fastapi.testclient import TestClient
from hand import SPEC, TOKEN
from pydantic import SecretStr
from serving import Server

Serve = Callable[..., TestClient]
SHARED = Path(__file__).parents[3] / "shared" / "data" / "cifar10-small" / "cifar10_small_exact.npz"
CSV = b"width,height,label\n" + b"".join(b"%d,%d,%d\n" % (i, i * i, i % 3) for i in range(12))


def npz(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def small(seed: int = 0) -> bytes:
    return npz(x=np.random.default_rng(seed).normal(size=(12, 3)), y=np.arange(12) % 3)


def send(client: TestClient, name: str = "mine", file: bytes | None = None, **fields: str) -> Any:
    given = {"file": ("../../etc/x.npz", small() if file is None else file)}
    return client.post("/datasets", data={"name": name, **fields}, files=given)


def using(name: str = "mine", **changes: Any) -> dict[str, Any]:
    return SPEC | {"dataset": {"kind": "user", "name": name}, "batch_sizes": [4, 8]} | changes


def names(client: TestClient) -> set[str]:
    return {item["name"] for item in client.get("/datasets").json()["items"] if item["kind"] == "user"}


def test_a_data_set_is_added_and_told_of(client: TestClient) -> None:
    answer = send(client, file=npz(x=np.zeros((12, 3)), y=np.arange(12) % 3, x_test=np.zeros((2, 3)), y_test=[0, 1]))
    assert (answer.status_code, answer.headers["Location"]) == (201, "/datasets/mine")
    made = models.Dataset.model_validate(client.get("/datasets/mine").json())
    assert made == models.Dataset.model_validate(answer.json())
    assert (made.kind, made.task, made.classes, made.available) == ("user", "classification", 3, True)
    assert made.shapes == {"x": [12, 3], "y": [12], "x_test": [2, 3], "y_test": [2]}
    assert made.sha256 is not None and made.created_at is not None
    assert names(client) == {"mine"}


def test_a_table_is_added_by_its_label(client: TestClient) -> None:
    assert send(client, "squares", CSV).json()["classes"] == 3
    assert send(client, "numbers", CSV, label="height", task="regression").json()["classes"] is None


def test_a_spec_names_it_and_keeps_its_facts(client: TestClient) -> None:
    sha256 = send(client).json()["sha256"]
    plan = client.post("/experiments?dry_run=true", json=using(batch_sizes=["full"]))
    assert plan.status_code == 200, plan.text
    answer = client.post("/experiments", json=using(batch_sizes=["50%", "full"]))
    assert answer.status_code == 202, answer.text
    stored = client.get(answer.headers["Location"]).json()["spec"]
    assert stored["dataset"]["sha256"] == sha256 and stored["dataset"]["rows"] == 12
    cells = client.get(f"{answer.headers['Location']}/cells").json()["items"]
    assert [cell["batch_size"] for cell in cells] == [5, 5, 10, 10]
    assert client.post("/experiments", json=stored).status_code == 202


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"dataset": {"kind": "user", "name": "other"}}, "/dataset/name"),
        ({"dataset": {"kind": "user", "name": "other", "sha256": "0" * 64, "rows": 10, "shape": [3]}}, "/dataset/name"),
        ({"dataset": {"kind": "user", "name": "mine", "sha256": "0" * 64}}, "/dataset/name"),
        ({"variants": [{"name": "a", "dataset": {"name": "other"}}]}, "/variants/0/dataset/name"),
    ],
)
def test_data_that_nobody_added_are_refused_with_the_path(client: TestClient, changes: Any, pointer: str) -> None:
    send(client)
    answer = client.post("/experiments", json=using(**changes))
    assert answer.status_code == 422, answer.text
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]


def test_what_a_spec_says_of_the_facts_counts_for_nothing(client: TestClient) -> None:
    send(client)
    lies = {"kind": "user", "name": "mine", "rows": 10**9, "shape": [10**6]}
    answer = client.post("/experiments", json=using(dataset=lies))
    assert client.get(answer.headers["Location"]).json()["spec"]["dataset"]["rows"] == 12


def test_a_study_runs_on_added_data(client: TestClient) -> None:
    send(client)
    body = {"dataset": {"kind": "user", "name": "mine"}, "batch_sizes": [4]}
    answer = client.post("/studies/grad-norm-vs-batch/experiments?size=smoke", json=body)
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize("taken", ["mine", "mnist"])
def test_a_name_is_given_once(client: TestClient, taken: str) -> None:
    send(client)
    answer = send(client, taken, b"not even looked at")
    assert (answer.status_code, answer.json()["type"]) == (409, "/docs#name-taken")


@pytest.mark.parametrize("name", ["", "Mine", "a b", "../x", "a/b", ".x", "-x", "é", "x" * 65, "a\nb", "a\x00"])
def test_a_bad_name_is_refused(client: TestClient, name: str) -> None:
    answer = send(client, name)
    assert answer.status_code == 422 and "name:" in answer.json()["detail"]
    assert names(client) == set()


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (268435456,), }\n"
        data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 2**28
        for name in ("x", "y", "x_test", "y_test"):
            packed.writestr(f"{name}.npy", data)
    return out.getvalue()


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a zip bomb": bomb,
    "objects": lambda: npz(x=np.array([{}] * 12, object), y=np.arange(12) % 3),
    "a million columns": lambda: b"," * 10**6 + b"label\n",
    "a cut archive": lambda: small()[:-30],
    "an empty file": lambda: b"",
    "no number": lambda: npz(x=np.full((12, 3), np.nan), y=np.arange(12) % 3),
    "other shapes": lambda: npz(x=np.zeros((12, 3)), y=np.arange(11)),
    "gaps": lambda: npz(x=np.zeros((12, 3)), y=np.arange(12) * 2),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_is_no_data_is_refused_and_leaves_nothing(client: TestClient, kind: str) -> None:
    answer = send(client, file=HOSTILE[kind]())
    assert (answer.status_code, answer.json()["type"]) == (422, "/docs#bad-data"), answer.text
    assert names(client) == set()
    assert send(client).status_code == 201


def test_a_form_without_its_fields_is_refused(client: TestClient) -> None:
    file = {"file": ("x.npz", small())}
    wrong: list[tuple[dict[str, str], Any]] = [
        ({"name": "a"}, None),
        ({}, file),
        ({"name": "a", "x": "1"}, file),
        ({"name": "a", "task": "y"}, file),
        ({"name": "a", "file": "text"}, None),
        ({"name": "a"}, {"label": ("x", b"1"), **file}),
    ]
    for data, files in wrong:
        answer = client.post("/datasets", data=data, files=files or {"nothing": ("", b"")})
        assert 400 <= answer.status_code < 423, (data, answer.text)
    assert names(client) == set()


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_only_a_form_with_a_file_is_taken(client: TestClient, kind: str) -> None:
    answer = client.post("/datasets", content=b"name=a", headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["type"]) == (415, "/docs#not-multipart")


# The framework leaves the beginning of a file to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "body", [b"", b"--x\r\n", b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nPK']
)
def test_a_broken_form_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/datasets", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert 400 <= answer.status_code < 423, answer.text
    assert names(client) == set()


def test_a_file_over_the_limit_is_refused_while_it_arrives(serve: Serve) -> None:
    client = serve(max_upload_bytes=2000)
    answer = send(client, file=b"x" * 3000)
    assert (answer.status_code, answer.json()["type"]) == (413, "/docs#body-too-large")
    assert "BATCHLAB_MAX_UPLOAD_BYTES" in answer.json()["detail"]
    assert send(client, file=small()).status_code == 201
    assert (
        client.post("/experiments", content=b" " * 300_000, headers={"Content-Type": "application/json"}).status_code
        == 413
    )


def test_arrays_over_the_limit_are_refused(serve: Serve) -> None:
    answer = send(serve(max_data_bytes=100))
    assert answer.status_code == 422 and "over the limit of 100 (BATCHLAB_MAX_DATA_BYTES)" in answer.json()["detail"]


def test_no_other_site_may_add_or_delete_data(client: TestClient) -> None:
    send(client)
    for headers in ({"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}):
        files, data = {"file": ("x", small(1))}, {"name": "theirs"}
        assert client.post("/datasets", data=data, files=files, headers=headers).status_code == 403
        assert client.delete("/datasets/mine", headers=headers).status_code == 403
    assert names(client) == {"mine"}


def test_nothing_is_read_without_the_token(serve: Serve) -> None:
    client = serve(token=SecretStr(TOKEN))
    assert send(client, file=b"not even looked at").status_code == 401


def test_data_are_deleted_when_no_experiment_uses_them(client: TestClient) -> None:
    send(client)
    id = client.post("/experiments", json=using()).json()["id"]
    answer = client.delete("/datasets/mine")
    assert (answer.status_code, answer.json()["type"]) == (409, "/docs#in-use") and id in answer.json()["detail"]
    client.post(f"/experiments/{id}/cancel")
    assert client.delete(f"/experiments/{id}").status_code == 204
    assert client.delete("/datasets/mine").status_code == 204
    assert client.delete("/datasets/mine").status_code == 404
    assert client.get("/datasets/mine").status_code == 404
    assert client.delete("/datasets/mnist").status_code == 404


def test_the_form_stands_in_the_documentation(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "Body: a form" in page and "npz (x, y[, x_test, y_test]) or csv" in page


def test_a_server_killed_in_mid_upload_leaves_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    tempfiles = {**environment, "TMPDIR": str(tmp_path)}
    with Server(tempfiles, tmp_path) as server, socket.create_connection(("127.0.0.1", server.port)) as half:
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        half.sendall(
            b"POST /datasets HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 90000000\r\n\r\n" + head + b"PK" * 2**21
        )
        assert server.client.get("/health/live").status_code == 200
        server.process.kill()
        server.process.wait()
    with Server(tempfiles, tmp_path) as server:
        assert [item for item in server.client.get("/datasets").json()["items"] if item["kind"] == "user"] == []
        files = {"file": ("a.npz", small())}
        assert server.client.post("/datasets", data={"name": "mine"}, files=files).status_code == 201
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.is_file()) == [".log", ".log"]


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.exists(), reason="the shared part of CIFAR-10 is not there")
def test_the_shared_part_of_cifar_is_added_as_it_is(client: TestClient, settings: Settings) -> None:
    answer = send(client, "cifar-part", SHARED.read_bytes())
    assert answer.status_code == 201, answer.text
    assert (answer.json()["shapes"]["x"], answer.json()["test_rows"]) == ([10000, 3, 32, 32], 1000)
    assert answer.json()["classes"] == 10
