"""Who may do what: default deny, one token, cookies for browsers, no writes from elsewhere."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from batchlab_api import security
from batchlab_api.app import create_app
from batchlab_api.security import Gate, Throttle
from batchlab_db.settings import Settings
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from hand import SPEC, TOKEN
from pydantic import SecretStr
from starlette.routing import Mount

Serve = Callable[..., TestClient]
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OPEN = {("GET", "/health/live"), ("POST", "/login"), ("DELETE", "/login"), ("GET", "/"), ("GET", "/static/vega.js")}
"""All that answers without a token, beside the dashboard's files."""


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    for route in iter_route_contexts(app.routes):
        if not isinstance(route.original_route, Mount):
            yield from ((method, route.path) for method in route.methods or ())


def stored(client: TestClient) -> int:
    return len(client.get("/experiments", headers=BEARER).json()["items"])


def test_every_route_but_the_open_ones_wants_the_token(guarded: TestClient) -> None:
    seen = set()
    for method, path in routes(guarded.app):  # type: ignore[arg-type]
        address = path.format(id="abc", cell="1", name="x", format="svg", sha256="0" * 64, analysis="abc")
        answer = guarded.request(method, address)
        seen.add((method, path))
        if (method, path) in OPEN:
            assert answer.status_code != 401 or path == "/login", (method, path)
        else:
            assert (answer.status_code, answer.json()["type"]) == (401, "/docs#token-needed"), (method, path)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert seen >= OPEN and len(seen) > 30


def test_mounts_hold_nothing_but_the_dashboards_files(guarded: TestClient) -> None:
    mounts = [route for route in guarded.app.routes if isinstance(route, Mount)]  # type: ignore[attr-defined]
    assert [mount.path for mount in mounts] == ["/static"]
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/..%5capp.py"):
        assert guarded.get(path).status_code == 404, path


def test_the_token_opens_every_read(guarded: TestClient) -> None:
    for path in (
        "/experiments",
        "/studies",
        "/catalog",
        "/workers",
        "/health/ready",
        "/metrics",
        "/docs",
        "/openapi.json",
    ):
        assert guarded.get(path, headers=BEARER).status_code in (200, 503), path


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \xff\xfe"]
)
def test_nothing_but_the_token_will_do(guarded: TestClient, header: str) -> None:
    assert guarded.get("/experiments", headers={"Authorization": header.encode("latin-1")}).status_code == 401


def test_a_token_in_the_address_is_not_looked_at(guarded: TestClient) -> None:
    assert guarded.get(f"/experiments?token={TOKEN}&access_token={TOKEN}").status_code == 401


def test_the_token_is_exchanged_for_a_cookie_that_scripts_cannot_read(guarded: TestClient) -> None:
    answer = guarded.post("/login", json={"token": TOKEN})
    assert answer.status_code == 204
    cookie = answer.headers["Set-Cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/")) and TOKEN not in cookie
    assert guarded.get("/experiments").status_code == 200
    guarded.request("DELETE", "/login")
    assert guarded.get("/experiments").status_code == 401


def test_over_https_the_cookie_stays_on_https(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"token": SecretStr(TOKEN)}))
    with TestClient(app, base_url="https://localhost") as client:
        assert "Secure" in client.post("/login", json={"token": TOKEN}).headers["Set-Cookie"]


def test_a_cookie_outlives_the_server_but_not_the_token(serve: Serve) -> None:
    cookie = Gate(TOKEN).cookie()
    same, other = serve(token=SecretStr(TOKEN)), serve(token=SecretStr("another"))
    for client, status in ((same, 200), (other, 401)):
        client.cookies.set(security.COOKIE, cookie)
        assert client.get("/experiments").status_code == status


@pytest.mark.parametrize("cookie", ["", "lab", "bGFi.aaaa.bbbb", TOKEN, "a" * 5000])
def test_a_forged_cookie_is_refused(guarded: TestClient, cookie: str) -> None:
    guarded.cookies.set(security.COOKIE, cookie)
    assert guarded.get("/experiments").status_code == 401


def test_an_old_cookie_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(TOKEN)
    cookie = gate.cookie()
    assert gate.knows_cookie(cookie)
    monkeypatch.setattr(security, "COOKIE_SECONDS", -1)
    assert not gate.knows_cookie(cookie)


def test_guessing_is_slowed_down_and_then_the_right_token_is_refused_too(guarded: TestClient) -> None:
    for k in range(10):
        assert guarded.post("/login", json={"token": f"guess {k}"}).status_code == 401
    answer = guarded.get("/experiments", headers={"Authorization": "Bearer guess 10"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert guarded.get("/experiments", headers=BEARER).status_code == 429
    assert "batchlab_auth_failures_total 11.0" in metrics_of(guarded)


def metrics_of(client: TestClient) -> str:
    client.cookies.set(security.COOKIE, Gate(TOKEN).cookie())
    return client.get("/metrics").text


def test_a_script_with_an_old_token_locks_nobody_out(guarded: TestClient) -> None:
    statuses = {guarded.get("/experiments", headers={"Authorization": "Bearer old"}).status_code for _ in range(30)}
    assert statuses == {401, 429}
    assert guarded.get("/experiments", headers=BEARER).status_code == 200


def test_wrong_tokens_are_forgotten_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    throttle = Throttle()
    for k in range(20):
        throttle.add("here", str(k))
    assert throttle.guessing("here") and not throttle.guessing("elsewhere")
    monkeypatch.setattr(security, "WINDOW_SECONDS", 0.0)
    assert not throttle.guessing("here")


def test_the_throttle_remembers_a_bounded_number_of_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "_MAX_ADDRESSES", 3)
    throttle = Throttle()
    for k in range(10):
        throttle.add(f"10.0.0.{k}", "x")
    assert len(throttle._wrong) == 3


FOREIGN: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.test"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9999"},
    {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.test", "Content-Type": "text/plain"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_no_other_site_may_write(client: TestClient, guarded: TestClient, headers: dict[str, str]) -> None:
    guarded.cookies.set(security.COOKIE, Gate(TOKEN).cookie())
    for lab in (client, guarded):
        answer = lab.post("/experiments", json=SPEC, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "/docs#cross-site")
        assert lab.post("/login", json={"token": TOKEN}, headers=headers).status_code == 403
        assert stored(lab) == 0


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"},
                                     {"Origin": "http://127.0.0.1:8000"}], ids=str)  # fmt: skip
def test_own_pages_and_scripts_may_write(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/experiments", json=SPEC, headers=headers).status_code == 202


def test_a_script_with_the_token_may_write_whatever_its_origin(guarded: TestClient) -> None:
    answer = guarded.post("/experiments", json=SPEC, headers=BEARER | {"Origin": "https://notebook.example"})
    assert answer.status_code == 202


FORMS = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
WRITES = [
    ("POST", "/experiments"),
    ("POST", "/experiments/abc/cancel"),
    ("POST", "/experiments/abc/seeds"),
    ("PATCH", "/experiments/abc"),
    ("DELETE", "/experiments/abc"),
    ("POST", "/studies/grad-norm-vs-batch/experiments"),
    ("POST", "/schedules/preview"),
    ("POST", "/login"),
]


@pytest.mark.parametrize("kind", FORMS)
def test_what_a_form_can_send_is_no_body(client: TestClient, kind: str) -> None:
    for method, path in WRITES:
        answer = client.request(method, path, content=b'{"a": 1}', headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["type"]) == (415, "/docs#not-json"), path
    assert stored(client) == 0


def test_no_other_origin_is_ever_allowed_to_read(client: TestClient) -> None:
    asking = {"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"}
    for answer in (client.options("/experiments", headers=asking), client.get("/experiments", headers=asking)):
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test", "a/?x=", "0.0.0.0:8000", ""])
def test_another_name_is_refused_even_where_nothing_is_secret(client: TestClient, host: str) -> None:
    for path in ("/", "/health/live", "/experiments", "/nowhere"):
        answer = client.get(path, headers={"Host": host})
        assert (answer.status_code, answer.json()["type"]) == (400, "/docs#bad-host"), path


def test_further_names_can_be_allowed(serve: Serve) -> None:
    client = serve(allowed_hosts=("Lab.Example",))
    assert client.get("/health/live", headers={"Host": "lab.example:443"}).status_code == 200


def test_every_answer_carries_the_headers_that_keep_browsers_safe(client: TestClient) -> None:
    for path in ("/", "/health/live", "/experiments", "/nowhere", "/static/nothing.js", "/docs"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff" and len(headers["X-Request-Id"]) == 16
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy and "script-src" not in policy


def test_a_client_cannot_choose_its_request_id_or_address(client: TestClient) -> None:
    answer = client.get(
        "/nowhere", headers={"X-Request-Id": "mine", "X-Forwarded-For": "9.9.9.9", "X-Forwarded-Host": "evil"}
    )
    assert answer.json()["request_id"] != "mine" and answer.status_code == 404


def test_a_body_over_the_limit_is_refused_before_it_is_read(serve: Serve) -> None:
    client = serve(max_body_bytes=1000)
    answer = client.post("/experiments", json=SPEC | {"note": "x" * 1000})
    assert (answer.status_code, answer.json()["type"]) == (413, "/docs#body-too-large")
    lying: dict[str, Any] = {"Content-Length": "99999999999999999999", "Content-Type": "application/json"}
    assert client.post("/experiments", content=b"{}", headers=lying).status_code == 413


def test_user_text_stays_inert_in_pictures(client: TestClient) -> None:
    name = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    id = client.post("/experiments", json=SPEC | {"name": name}).json()["id"]
    picture = client.get(f"/experiments/{id}/plots/loss-curves.svg")
    assert picture.status_code == 200 and "<script" not in picture.text and "<img" not in picture.text
