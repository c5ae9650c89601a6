"""What every page has: themes, keys, a narrow form, words for a server that is away, and the login."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from batchlab_client import Client, NotReachedError
from batchlab_lab.addresses import free_port
from batchlab_lab.embedded import Embedded
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Opened = Callable[..., Page]
TOKEN = "bl_a-token-for-the-dashboard"
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>"


def paper(page: Page) -> str:
    colour: str = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return colour


def test_the_theme_follows_the_system_the_button_and_the_address(visit: Opened) -> None:
    light, dark = (visit(color_scheme=scheme) for scheme in ("light", "dark"))
    assert paper(light) != paper(dark)
    assert paper(visit("#/?_theme=dark")) == paper(dark)
    light.get_by_role("button", name="Theme: auto").click()
    light.get_by_role("button", name="Theme: light").click()
    assert paper(light) == paper(dark)
    light.reload()
    expect(light.get_by_role("button", name="Theme: dark")).to_be_visible()


def test_keys_lead_to_pages_but_not_while_typing(visit: Opened) -> None:
    page = visit("#/")
    page.keyboard.type("gs")
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()
    page.keyboard.type("gh")
    page.keyboard.press("/")
    expect(page.get_by_label("Filter by name")).to_be_focused()
    page.keyboard.type("gw")
    expect(page.get_by_role("heading", name="Experiments")).to_be_visible()
    page.get_by_label("Filter by name").blur()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def test_a_phone_shows_every_page_without_scrolling_sideways(visit: Opened, finished: str) -> None:
    page = visit(viewport={"width": 375, "height": 800})
    addresses = [
        "#/studies",
        "#/new",
        "#/workers",
        *(f"#/experiments/{finished}{tab}" for tab in ("", "/curves", "/results")),
    ]
    for address in addresses:
        page.evaluate("address => { location.hash = address; }", address)
        page.wait_for_load_state("networkidle")
        expect(page.locator("main .skeleton").first).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


def test_what_users_wrote_is_only_ever_text(visit: Opened, client: Client, finished: str) -> None:
    before = client.get(finished)
    client.patch(finished, name=HOSTILE, tags=[HOSTILE], note=HOSTILE)
    page = visit(f"#/experiments/{finished}")
    expect(page.locator("h1")).to_have_text(HOSTILE)
    expect(page.locator(".notetext")).to_have_text(HOSTILE)
    expect(page.locator(".facts .tag", has_text="<img")).to_be_visible()
    assert page.locator("main b, main img").count() == 0
    assert page.title() != "owned"
    client.patch(finished, name=before.name, tags=before.tags, note=before.note)


def test_a_lost_server_is_said_and_what_is_shown_stays(visit: Opened, finished: str) -> None:
    page = visit(color_scheme="dark")
    expect(page.locator(".experiment").first).to_be_visible()
    page.context.set_offline(True)
    expect(page.locator(".away")).to_contain_text("has not been reached since")
    expect(page.locator(".experiment").first).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator(".away")).to_be_hidden()


def test_nothing_is_loaded_from_elsewhere_and_no_policy_is_broken(visit: Opened, lab: Embedded, finished: str) -> None:
    asked: list[str] = []
    page = visit("#/studies")
    page.on("request", lambda request: asked.append(request.url))
    for tab in ("", "/curves", "/plots"):
        page.evaluate("address => { location.hash = address; }", f"#/experiments/{finished}{tab}")
        expect(page.locator("canvas, .plotbox svg").first).to_be_visible()
    assert [url for url in asked if not url.startswith((lab.url, "data:", "blob:"))] == []


def test_where_the_stream_is_refused_the_page_asks_instead(visit: Opened, lab: Embedded, long: str) -> None:
    page = visit()
    page.route("**/events*", lambda route: route.fulfill(status=503, body="busy"))
    page.evaluate("address => { location.hash = address; }", f"#/experiments/{long}")
    said = page.locator(".sentence")
    expect(said).to_contain_text("updates")
    before = said.inner_text().split(" of ")[0]
    expect(said).not_to_contain_text(f"{before} of ")


@pytest.fixture
def guarded(lab: Embedded, tmp_path: Path) -> Iterator[str]:
    """The address of a second api of the lab, which asks for a token."""
    url = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    serve = [sys.executable, "-m", "batchlab_api", "--port", url.rpartition(":")[2]]
    with (tmp_path / "log").open("wb") as log, Client(url, TOKEN, patience=30) as client:
        process = subprocess.Popen(
            serve, env={**os.environ, **lab.environment(), "BATCHLAB_TOKEN": TOKEN}, stdout=log, stderr=log
        )
        try:
            client.workers()
            yield url
        except NotReachedError:
            pytest.fail((tmp_path / "log").read_text())
        finally:
            process.terminate()
            process.wait(timeout=10)


def test_a_guarded_lab_asks_for_its_token_once(visit: Opened, guarded: str) -> None:
    page = visit(base=guarded, locale="en-GB")
    dialog = page.get_by_role("dialog", name="Log in")
    dialog.get_by_label("Token").fill("wrong")
    dialog.get_by_role("button", name="Log in").click()
    expect(dialog).to_contain_text("That is not the token.")
    dialog.get_by_label("Token").fill(TOKEN)
    dialog.get_by_role("button", name="Log in").click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".experiment, .empty").first).to_be_visible()
    page.reload()
    expect(page.locator(".experiment, .empty").first).to_be_visible()
    expect(dialog).to_have_count(0)
