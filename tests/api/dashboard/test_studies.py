"""The gallery of studies, starting one, its verdicts, and experiments beside each other."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from batchlab.studies import STUDIES
from batchlab_client import Client
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Opened = Callable[..., Page]
CLAIM: dict[str, Any] = {
    "id": "falls", "text": "It falls.", "source": "figure 1", "reason": "wholly below", "test": "Student's t",
    "measured": "slope", "effect": -0.3, "smallest_effect": 0.1, "claimed": [None, -0.1], "ci95": [-0.4, -0.2],
    "ci_holm": [-0.45, -0.15], "n": 3, "p": 0.01, "p_holm": 0.02, "hedges_g": -2.0, "seeds_needed": None,
    "cells": [0, 1, 2], "left_out": {"diverged": 1},
}  # fmt: skip
OPEN = {**CLAIM, "id": "open", "text": "It may fall.", "verdict": "inconclusive", "seeds_needed": 8, "ci95": [-1, 0.4]}


def test_the_gallery_is_found_by_words_and_by_topic_and_the_address_keeps_it(visit: Opened) -> None:
    page = visit("#/studies")
    cards = page.locator(".study")
    expect(cards).to_have_count(len(STUDIES))
    page.get_by_label("Filter studies").fill("figure 6.7.1")
    expect(cards.first).to_contain_text("Gradient norm")
    expect(page).to_have_url(re.compile(r"_q=figure%206\.7\.1"))
    page.get_by_label("Filter studies").fill("")
    page.get_by_role("button", name="time", exact=True).click()
    expect(cards.filter(has_text="Time per update")).to_have_count(1)
    expect(cards.filter(has_text="Gradient norm")).to_have_count(0)
    again = visit(page.url.split("/", 3)[3])
    expect(again.get_by_role("button", name="time", exact=True)).to_have_attribute("aria-pressed", "true")


def test_a_study_says_what_its_variants_train(visit: Opened) -> None:
    page = visit("#/studies")
    cards = page.locator(".study")
    expect(cards.filter(has_text="keskar on 3 datasets")).to_have_count(1)
    expect(cards.filter(has_text="surface and mlp on slopes and digits")).to_have_count(1)


def test_pictures_follow_the_theme(visit: Opened) -> None:
    page = visit("#/studies?_theme=dark")
    image = page.locator("img.picture").first
    expect(image).to_have_attribute("src", re.compile(r"picture\.svg\?theme=dark"))
    page.wait_for_function("() => document.querySelector('img.picture').naturalWidth > 0")


def test_a_study_says_what_to_expect_and_what_became_of_it(visit: Opened, client: Client) -> None:
    made = client.run_study("grad-norm-vs-batch", {"batch_sizes": [100]}, size="smoke")
    page = visit("#/studies/grad-norm-vs-batch")
    expect(page.locator(".expected img")).to_be_visible()
    expect(page.locator(".plotnames")).to_contain_text("best val loss vs batch")
    expect(page.locator(f'.experiments a[href="#/experiments/{made.id}"]')).to_be_visible()


def test_seeds_and_changes_are_planned_and_a_fault_stands_at_its_line(visit: Opened) -> None:
    page = visit("#/studies/grad-norm-vs-batch")
    page.get_by_label("Seeds").fill("2")
    changes = page.get_by_label("Changes to the spec, as JSON")
    changes.fill('{\n  "batch_sizes": [16, 64]\n}')
    expect(page.locator(".plan .numbers")).to_contain_text("4cells")
    changes.fill('{\n  "lr": {\n    "rule": "fixd"\n  }\n}')
    expect(page.locator(".changes .wrong")).to_contain_text('"rule": "fixd"')
    expect(page.locator(".plan .numbers")).to_contain_text("–cells")


def answer_verdicts(page: Page, *claims: dict[str, Any]) -> None:
    """What the server says of claims, as a test wants it."""
    body = {"claims": list(claims), "preliminary": False}
    page.route("**/experiments/*/verdicts", lambda route: route.fulfill(json=body))


def test_a_verdict_is_told_by_icon_and_word_with_its_effect_and_evidence(visit: Opened, finished: str) -> None:
    page = visit("#/studies")
    answer_verdicts(page, {**CLAIM, "verdict": "supported"}, {**CLAIM, "id": "b", "verdict": "contradicted"})
    page.evaluate(f"location.hash = '#/experiments/{finished}/verdicts'")
    cards = page.locator(".verdict")
    expect(cards).to_have_count(2)
    expect(cards.first.locator(".verdictchip")).to_have_text("supported")
    expect(cards.first.locator(".verdictchip svg path")).to_have_count(1)
    expect(cards.first.get_by_role("img")).to_have_attribute(
        "aria-label", "effect −0.3, 95 % interval −0.4 to −0.2; claimed: at most −0.1"
    )
    expect(cards.first).to_contain_text("3 seeds · effect −0.300 · 95 % interval −0.400 to −0.200 · p 0.02 (Holm)")
    cards.first.get_by_text("How it was tested").click()
    expect(cards.first).to_contain_text("Left out: 1 diverged.")
    expect(page.locator(".tally")).to_have_text("2 claims: 1 supported, 1 contradicted.")


def test_an_open_verdict_offers_the_seeds_that_would_decide_it(visit: Opened, client: Client) -> None:
    id = client.run_study("grad-norm-vs-batch", {"batch_sizes": [100], "seeds": 3}, size="smoke").id
    client.wait(id, timeout=120)
    page = visit("#/studies")
    answer_verdicts(page, OPEN)
    page.evaluate(f"location.hash = '#/experiments/{id}/verdicts'")
    page.get_by_role("button", name="Add 5 seeds").click()
    expect(page.get_by_text("5 seeds added to every point")).to_be_visible()
    assert len(client.cells(id)) == 8


def test_an_experiment_without_claims_says_so(visit: Opened, finished: str) -> None:
    page = visit(f"#/experiments/{finished}/verdicts")
    expect(page.get_by_role("heading", name="No claim to judge")).to_be_visible()


def test_experiments_are_marked_and_compared(visit: Opened, client: Client, finished: str) -> None:
    spec = {key: value for key, value in client.get(finished).spec.items() if key != "study"}
    other = client.submit({**spec, "name": "with momentum", "momentum": 0.9}).id
    client.wait(other, timeout=120)
    page = visit("#/experiments")
    page.get_by_label("Compare with momentum").first.check()
    expect(page.get_by_text("Mark one more to compare")).to_be_visible()
    page.locator(f'.experiment:has(a[href="#/experiments/{finished}"]) input').check()
    page.get_by_role("link", name="Compare 2 experiments").click()
    expect(page.locator("table.specs tbody tr")).to_have_count(1)
    expect(page.locator("table.specs")).to_contain_text("momentum")
    expect(page.locator("table.results tbody tr")).to_have_count(3)
    expect(page.locator("table.results")).to_contain_text("%")
    expect(page.locator(".overlaid svg")).to_be_visible()
    page.get_by_label("Metric").first.select_option("val_loss")
    expect(page).to_have_url(re.compile("_m=val_loss"))
    fresh = visit(page.url.split("/", 3)[3], viewport={"width": 375, "height": 800})
    expect(fresh.locator("table.results")).to_be_visible()
    assert fresh.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_one_experiment_is_not_compared(visit: Opened, finished: str) -> None:
    page = visit(f"#/compare?ids={finished}")
    expect(page.get_by_role("heading", name="Choose at least two experiments")).to_be_visible()
