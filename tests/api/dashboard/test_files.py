"""How the dashboard's files are served."""

import gzip
import re

import pytest
from batchlab_api import dashboard
from fastapi import FastAPI
from fastapi.testclient import TestClient


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    dashboard.mount(app)
    return TestClient(app)


def test_the_page_and_everything_it_names_is_there(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
        assert client.get(path).status_code == 200, path


def test_every_module_imports_only_what_there_is(client: TestClient) -> None:
    for module in dashboard.FOLDER.rglob("*.js"):
        for name in re.findall(r'from "(\.[^"]+)"', module.read_text()):
            assert (module.parent / name).is_file(), f"{module.name} imports {name}"


def test_files_are_looked_at_anew_each_time_but_sent_once(client: TestClient) -> None:
    for path in ("/", "/static/main.js", "/static/vega.js"):
        first = client.get(path)
        assert first.headers["cache-control"] == "no-cache"
        again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), path


def test_the_chart_library_comes_packed_and_needs_no_other(client: TestClient) -> None:
    packed = client.get("/static/vega.js", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "window.vegaEmbed=" in packed.text
    assert gzip.decompress(dashboard.vega_bundle().packed) == dashboard.vega_bundle().plain
    plain = client.get("/static/vega.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == dashboard.vega_bundle().plain


def test_nothing_outside_the_folder_is_served(client: TestClient) -> None:
    assert client.get("/static/..%2fdashboard.py").status_code == 404
    assert client.get("/static/%2e%2e/dashboard.py").status_code == 404


def test_no_module_parses_html_or_evaluates_text() -> None:
    """What users wrote must only ever become text."""
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser")
    found = {m.name: forbidden.findall(m.read_text()) for m in dashboard.FOLDER.rglob("*.js")}
    assert {name: words for name, words in found.items() if words} == {}
