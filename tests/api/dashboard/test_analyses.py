"""The analyses of an experiment: asked for from a cell, followed, and shown with what they found."""

from collections.abc import Callable
from typing import Any

import pytest
from batchlab_client import Client
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
SPEC = {
    "name": "to be analysed",
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [100],
    "lr": {"rule": "fixed", "base": 0.5},
    "budget": {"epochs": 2},
    "checkpoints": [{"kind": "last"}],
}


def test_an_analysis_is_started_from_a_cell_and_shows_what_it_found(visit: Callable[..., Page], client: Client) -> None:
    finished = client.submit(SPEC).id
    client.wait(finished, timeout=120)
    page = visit(f"#/experiments/{finished}/analyses")
    expect(page.get_by_text("Nothing analysed yet")).to_be_visible()
    cell: Any = client.cells(finished)[0]
    page.get_by_label("Compute").select_option("sharpness")
    page.locator("select[name=cell]").select_option(cell.id)
    page.get_by_role("button", name="Analyse").click()
    expect(page.get_by_role("row", name="keskar_0.001")).to_be_visible(timeout=120_000)
    [made] = client.analyses(finished)
    assert ([one.cell for one in made.cells], made.status) == ([cell.id], "succeeded")
    expect(page.get_by_role("link", name="CSV")).to_have_attribute("href", made.links["csv"])
