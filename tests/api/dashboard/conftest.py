"""A real lab with one worker, and Chromium looking at its dashboard."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from batchlab_client import Client
from batchlab_lab.embedded import Embedded
from batchlab_lab.home import Home
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
QUICK = {
    "BATCHLAB_SLICE_SECONDS": "2",
    "BATCHLAB_BLOCK_SECONDS": "0.2",
    "BATCHLAB_HEARTBEAT_SECONDS": "1",
    "BATCHLAB_BALLAST_BYTES": "0",
}
WINDOW: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}
PATIENCE_MILLISECONDS = 30_000

SECTORS: dict[str, Any] = {
    "name": "three batches",
    "tags": ["textbook"],
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [8, 32, "full"],
    "lr": {"rule": "fixed", "base": 0.5},
    "budget": {"epochs": 8},
    "seeds": 3,
    "evaluate": {"every_steps": 5},
}
"""Nine cells that end within seconds."""
UNSTABLE: dict[str, Any] = {
    "name": "too fast",
    "dataset": {"kind": "diabetes"},
    "model": {"kind": "linear"},
    "batch_sizes": [16],
    "lr": {"rule": "list", "values": [0.01, 50]},
    "budget": {"epochs": 40},
    "evaluate": {"every_epochs": 1},
}
"""Two cells, one of which diverges."""
LONG: dict[str, Any] = {**SECTORS, "name": "long", "tags": [], "batch_sizes": [1, 2], "budget": {"epochs": 20_000}}
"""Trains for minutes: for what is watched and then cancelled."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process of a parallel run takes the whole folder: a second browser and lab would cost more than they save."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group("dashboard"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("BATCHLAB_REQUIRE_BROWSER") == "1":
            pytest.fail("BATCHLAB_REQUIRE_BROWSER is set, and there is no chromium on the PATH")
        pytest.skip("no chromium on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """Started after the browser, so that nothing is started where there is none."""
    before = dict(os.environ)
    os.environ.update(QUICK)
    try:
        with Embedded(Home(tmp_path_factory.mktemp("lab")), port=0, workers=1) as embedded:
            yield embedded
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="package")
def client(lab: Embedded) -> Iterator[Client]:
    with Client(lab.url) as client:
        while not any(worker.alive for worker in client.workers()):
            time.sleep(0.1)
        yield client


@pytest.fixture(scope="package")
def finished(client: Client) -> str:
    """The id of SECTORS, trained."""
    return client.wait(client.submit(SECTORS).id, timeout=120).id


@pytest.fixture(scope="package")
def diverged(client: Client) -> str:
    """The id of UNSTABLE, trained."""
    return client.wait(client.submit(UNSTABLE).id, timeout=120).id


@pytest.fixture
def long(client: Client) -> Iterator[str]:
    """The id of LONG, running; cancelled afterwards."""
    id = client.submit(LONG).id
    yield id
    if client.get(id).status in ("queued", "running", "paused", "stalled"):
        client.cancel(id)


@pytest.fixture(scope="package")
def plain(browser: Browser) -> Iterator[BrowserContext]:
    """A browser with a wide, light window, which keeps what it has loaded."""
    with browser.new_context(**WINDOW) as context:
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        expect.set_options(timeout=PATIENCE_MILLISECONDS)
        yield context


Opened = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, plain: BrowserContext, lab: Embedded) -> Iterator[Opened]:
    """Opens an address of the dashboard; with options in a new browser that has them. No script may fail there."""
    faults: list[str] = []
    with ExitStack() as stack:

        def open_page(address: str = "#/", *, base: str | None = None, **options: Any) -> Page:
            context = stack.enter_context(browser.new_context(**WINDOW | options)) if options else plain
            context.set_default_timeout(PATIENCE_MILLISECONDS)
            page = stack.enter_context(context.new_page())
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda message: faults.extend(_faults_of(message)))
            page.goto(f"{base or lab.url}/{address}")
            return page

        yield open_page
    assert faults == []


def _faults_of(message: ConsoleMessage) -> list[str]:
    """What the console complains of. A refused request is an answer: pages show it, and tests look there."""
    refused = message.text.startswith("Failed to load resource")
    return [message.text] if message.type in ("error", "warning") and not refused else []
