"""What the dashboard is for: post an experiment, watch it train, see its curve, stop another."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from batchlab_client import Client
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

Opened = Callable[..., Page]
SPEC: dict[str, Any] = {
    "name": "pasted",
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [1, 2],
    "lr": {"rule": "fixed", "base": 0.5},
    "budget": {"epochs": 20_000},
    "evaluate": {"every_steps": 200},
}


def spec_area(page: Page) -> Locator:
    return page.get_by_label("Spec, as JSON")


def status(page: Page) -> Locator:
    return page.locator(".head .status")


def test_a_fault_is_shown_at_its_line_and_running_puts_the_cursor_there(visit: Opened) -> None:
    page = visit("#/new")
    text = json.dumps({**SPEC, "lr": {"rule": "fixd", "base": 0.5}, "momentun": 0.9}, indent=2)
    spec_area(page).fill(text)
    wrong = page.locator(".paper .wrong")
    expect(wrong).to_have_count(2)
    expect(wrong.nth(0)).to_contain_text('"rule": "fixd"')
    expect(wrong.nth(0)).to_contain_text("no such rule")
    expect(wrong.nth(1)).to_contain_text("did you mean momentum?")
    expect(page.locator(".faults li")).to_have_count(2)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(spec_area(page)).to_be_focused()
    chosen = page.evaluate("(({ value, selectionStart, selectionEnd }) => value.slice(selectionStart, selectionEnd))"
                           "(document.activeElement)")  # fmt: skip
    assert chosen == '"fixd"'
    assert "#/new" in page.url


def test_text_that_is_no_json_says_where_it_breaks(visit: Opened) -> None:
    page = visit("#/new")
    spec_area(page).fill('{\n  "name": "x",\n  "seeds": 3,,\n}')
    expect(page.locator(".paper .wrong")).to_contain_text('"seeds": 3,,')
    expect(page.locator(".plan .numbers")).to_contain_text("–cells")


def test_a_pasted_spec_tells_its_cost_runs_and_its_curve_grows(visit: Opened, client: Client) -> None:
    page = visit("#/new")
    spec_area(page).fill(json.dumps(SPEC))
    expect(page.locator(".plan .numbers")).to_contain_text(re.compile("2cells.*24.000.000updates"))
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("heading", name="pasted")).to_be_visible()
    expect(status(page)).to_have_text("running")
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Curves").click()
    page.get_by_text("As a table").first.click()
    values = page.locator(".curve").first.locator("tbody tr td").first
    expect(values).to_have_text(re.compile(r"[0-9]"))
    before = int(re.sub(r"\D", "", values.inner_text()))
    canvas = page.locator(".canvas canvas").first
    picture = canvas.screenshot()
    page.wait_for_function(
        "before => +document.querySelector('.curve tbody td').textContent.replace(/\\D/g, '') > before + 10", arg=before
    )
    deadline = time.monotonic() + 30
    while canvas.screenshot() == picture:  # a frame may be drawn after the table
        assert time.monotonic() < deadline, "the picture does not grow"
    expect(page).to_have_title(re.compile(r"^\d+ % · pasted — batchlab$"))
    page.get_by_role("button", name="Cancel").click()
    expect(status(page)).to_have_text("cancelled")
    assert client.get(re.findall(r"experiments/(\w+)", page.url)[0]).status == "cancelled"


def test_a_study_starts_in_the_chosen_size_with_changes(visit: Opened, client: Client) -> None:
    page = visit("#/studies")
    page.get_by_role("link", name="Gradient norm and batch size").click()
    page.get_by_label("smoke").check()
    page.get_by_label("Changes to the spec, as JSON").fill('{"batch_sizes": [16, 64], "seeds": 2}')
    expect(page.locator(".plan .numbers")).to_contain_text("4cells")
    page.get_by_role("button", name="Run this study").click()
    expect(status(page)).to_have_text("succeeded")
    expect(page.locator(".cellmap a[data-status=succeeded]")).to_have_count(4)
    expect(page.locator(".facts")).to_contain_text("2 batch sizes × 2 seeds")


def test_a_study_refuses_changes_that_make_no_spec_and_says_why(visit: Opened) -> None:
    page = visit("#/studies/grad-norm-vs-batch")
    changes = page.get_by_label("Changes to the spec, as JSON")
    changes.fill('{"lr": {"rule": "fixd"}}')
    expect(page.locator("form .fault")).to_contain_text("lr.rule: no such")
    changes.fill("{")
    expect(page.locator("form .fault")).to_contain_text("not JSON")


def test_an_experiment_pauses_resumes_and_is_cancelled(visit: Opened, long: str) -> None:
    page = visit(f"#/experiments/{long}")
    expect(status(page)).to_have_text("running")
    page.get_by_role("button", name="Pause").click()
    expect(status(page)).to_have_text("paused")
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    expect(status(page)).to_have_text("running")
    page.get_by_role("button", name="Cancel").click()
    expect(status(page)).to_have_text("cancelled")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


def test_an_experiment_is_renamed_grows_by_a_seed_and_is_deleted(visit: Opened, client: Client) -> None:
    id = client.submit({**SPEC, "batch_sizes": [32, 64], "budget": {"epochs": 1}}).id
    client.wait(id, timeout=60)
    page = visit(f"#/experiments/{id}")
    choose(page, "Rename…")
    page.get_by_role("textbox", name="Name").fill("a better name")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1")).to_have_text("a better name")
    choose(page, "Add seeds…")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".cellmap a[data-status=succeeded]")).to_have_count(4)
    expect(status(page)).to_have_text("succeeded")
    choose(page, "Delete…")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("“a better name” deleted")).to_be_visible()
    expect(page.get_by_role("heading", name="Experiments")).to_be_visible()


def choose(page: Page, entry: str) -> None:
    page.locator(".head summary").click()
    page.get_by_role("button", name=entry).click()
