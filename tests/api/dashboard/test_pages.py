"""The other pages: lists, results, cells, plots, the spec, the system."""

import json
import re
from collections.abc import Callable

import pytest
from batchlab_client import Client
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Opened = Callable[..., Page]


def test_home_lists_experiments_and_finds_them(visit: Opened, finished: str, diverged: str) -> None:
    page = visit()
    names = page.locator(".experiment .name")
    expect(names.filter(has_text="three batches").first).to_be_visible()
    page.get_by_label("Filter by name").fill("too fa")
    expect(names).to_have_text(["too fast"])
    assert page.url.endswith("#/?q=too%20fa")
    page.get_by_label("Filter by name").fill("nothing is called so")
    expect(page.get_by_text("No experiment matches")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    page.get_by_role("link", name="textbook").first.click()
    expect(names.first).to_have_text("three batches")
    expect(names.filter(has_text="too fast")).to_have_count(0)
    assert "tag=textbook" in page.url


def test_home_goes_on_where_a_page_ends(visit: Opened, finished: str, diverged: str) -> None:
    page = visit("#/experiments?limit=1")
    expect(page.locator(".experiment")).to_have_count(1)
    page.get_by_role("button", name="More").click()
    expect(page.locator(".experiment")).to_have_count(2)
    assert "_pages=2" in page.url


def test_home_asks_again_and_an_unchanged_list_is_not_sent_twice(visit: Opened, finished: str) -> None:
    page = visit("#/experiments?status=succeeded")
    with page.expect_response(lambda answer: "/experiments?" in answer.url and answer.status == 304):
        expect(page.locator(".experiment").first).to_be_visible()


def test_home_shows_progress_without_being_touched(visit: Opened, long: str) -> None:
    page = visit("#/experiments?q=long&status=running")
    row = page.locator(".experiment", has_text="long").first
    expect(row.locator(".progress")).to_be_visible()
    updates = row.locator(".much span").first
    before = updates.get_attribute("title")
    expect(updates).not_to_have_attribute("title", before or "")


def test_results_group_seeds_sort_filter_and_open(visit: Opened, client: Client, finished: str) -> None:
    page = visit(f"#/experiments/{finished}/results")
    rows = page.locator("tr.group")
    expect(rows).to_have_count(3)
    losses = [group.model_dump()["val_loss"]["mean"] for group in client.results(finished).groups]
    shown = rows.nth(0).locator("td").nth(3).inner_text()
    assert "±" in shown and float(shown.split(" ±")[0]) == pytest.approx(losses[0], rel=0.05)
    page.get_by_role("button", name="val loss", exact=True).click()
    page.get_by_role("button", name="val loss ↑").click()
    expect(page.locator("th[aria-sort=descending]")).to_have_count(1)
    assert "_sort=-val_loss" in page.url
    expect(rows.first.locator("td").nth(1)).to_have_text("800")
    page.get_by_label("Filter points").fill("batch_size<100")
    expect(rows).to_have_count(2)
    rows.first.get_by_role("button", name="Seeds").click()
    expect(page.locator("tr.seed")).to_have_count(3)


def test_results_come_as_files(visit: Opened, finished: str) -> None:
    page = visit(f"#/experiments/{finished}/results")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.path().read_text().count("\n") == 10


def test_cells_come_with_their_status_and_one_of_them_in_full(visit: Opened, diverged: str) -> None:
    page = visit(f"#/experiments/{diverged}/cells")
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page.locator("tbody tr").first).to_contain_text("loss not finite at update")
    page.locator("tbody tr a").first.click()
    expect(page.get_by_role("heading", name="lr 50")).to_be_visible()
    expect(page.get_by_text("diverged at", exact=True)).to_be_visible()
    page.get_by_role("link", name="Its curves").click()
    expect(page.locator(".legend .diverged", has_text="✕ diverged")).to_have_count(1)


def test_plots_are_drawn_and_offered_as_files(visit: Opened, finished: str) -> None:
    page = visit(f"#/experiments/{finished}/plots")
    expect(page.locator("#grad-norm-vs-batch svg")).to_be_visible()
    expect(page.locator("#grad-norm-vs-batch")).to_contain_text("Batch size (rows)")
    with page.expect_download() as download:
        page.locator("#grad-norm-vs-batch").get_by_role("link", name="SVG").click()
    assert download.value.path().read_bytes().startswith(b"<svg")


def test_the_spec_can_be_read_and_begun_from(visit: Opened, finished: str) -> None:
    page = visit(f"#/experiments/{finished}?_tab=spec")
    spec = json.loads(page.locator("pre.code").inner_text())
    assert spec["batch_sizes"] == [8, 32, "full"] and list(spec)[:3] == ["name", "tags", "dataset"]
    page.get_by_role("link", name="New from this").click()
    expect(page.get_by_text("Ready to run.")).to_be_visible()
    expect(page.locator(".plan .numbers")).to_contain_text("9cells")


def test_the_system_page_shows_parts_and_workers(visit: Opened, client: Client) -> None:
    page = visit("#/workers")
    expect(page.locator(".part[data-ok=true]", has_text="database")).to_be_visible()
    expect(page.locator("tbody tr", has_text=client.workers()[0].worker)).to_contain_text(re.compile("idle|busy"))
    expect(page.locator(".health")).to_have_text("Ready")


def test_what_is_not_there_is_said_with_a_way_back(visit: Opened) -> None:
    page = visit("#/experiments/nothing")
    expect(page.get_by_role("heading", name="No such experiment")).to_be_visible()
    page.get_by_role("link", name="To the experiments").click()
    expect(page.get_by_role("heading", name="Experiments")).to_be_visible()
    page.evaluate("location.hash = '#/no/such/page'")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
