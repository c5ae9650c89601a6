"""The Curves tab: its address is the API's, zooming asks again, what cannot be drawn is counted."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from batchlab_client import Client
from batchlab_lab.embedded import Embedded
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Opened = Callable[..., Page]


def ready(page: Page) -> Page:
    """Once the picture is drawn."""
    expect(page.locator(".canvas canvas").first).to_be_visible()
    expect(page.locator(".legend .line .value").first).to_have_text(re.compile(r"\d"))
    return page


def drag(page: Page, begin: float, end: float) -> None:
    """Draw along the first chart, from one share of its width to another."""
    box = page.locator(".overlay").first.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + begin * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], middle, steps=4)
    page.mouse.up()


def query(page: Page) -> dict[str, str]:
    text: str = page.evaluate("location.hash.split('?')[1]")
    return dict(pair.split("=") for pair in text.split("&"))


def test_without_the_hash_the_address_is_the_data(visit: Opened, lab: Embedded, finished: str) -> None:
    page = ready(visit(f"#/experiments/{finished}/curves"))
    address = urlsplit(page.url).fragment
    assert query(page) == {"group": "seed", "metrics": "val_loss,grad_norm", "x": "epoch"}
    series = page.request.get(lab.url + address).json()["series"]
    shown = page.locator(".legend .line .label").all_inner_texts()
    assert shown == [str(s["batch_size"]) for s in series if s["metric"] == "val_loss"] == ["8", "32", "800"]
    assert "n = 3" in page.locator(".legend h3").inner_text()


def test_the_same_address_shows_the_same_in_any_browser(visit: Opened, finished: str) -> None:
    hash = f"#/experiments/{finished}/curves?_iso=_32_0.5_0_all&_y=log&batch_size=8,32&group=seed&metrics=loss&x=step"
    one, other = (ready(visit(hash, locale=language)) for language in ("en-GB", "zh-CN"))
    texts = [page.locator("main").inner_text() for page in (one, other)]
    assert texts[0] == texts[1]
    assert urlsplit(one.url).fragment == hash[1:]
    expect(one.get_by_role("button", name="log y")).to_have_attribute("aria-pressed", "true")
    expect(one.locator(".line[aria-pressed=true]")).to_have_text(re.compile("^32"))


def test_dragging_zooms_by_asking_again_and_back_undoes_it(visit: Opened, finished: str) -> None:
    page = ready(visit(f"#/experiments/{finished}/curves"))
    whole = query(page)
    with page.expect_response(lambda answer: "from=" in answer.url) as asked:
        drag(page, 0.4, 0.7)
    first, last = float(query(page)["from"]), float(query(page)["to"])
    assert 2 < first < 4 < last < 6
    series = asked.value.json()["series"]
    assert all(first <= x <= last for s in series for x in s["x"])
    page.go_back()
    page.wait_for_function("!location.hash.includes('from=')")
    assert query(page) == whole


def test_a_zoomed_picture_stands_still_and_says_what_came_since(visit: Opened, long: str) -> None:
    page = ready(visit(f"#/experiments/{long}/curves"))
    drag(page, 0.3, 0.6)
    pill = page.get_by_role("button", name="new updates — follow")
    expect(pill).to_be_visible()
    values = page.locator(".legend .line .value").all_inner_texts()
    said = pill.inner_text()
    expect(pill).not_to_have_text(said)
    assert page.locator(".legend .line .value").all_inner_texts() == values
    pill.click()
    expect(pill).to_be_hidden()
    assert "from" not in query(page)


def test_the_legend_isolates_lines_by_mouse_and_keyboard(visit: Opened, finished: str) -> None:
    page = ready(visit(f"#/experiments/{finished}/curves"))
    lines = page.locator(".legend .line")
    lines.nth(0).click()
    lines.nth(2).click(modifiers=["Control"])
    expect(page.locator(".line[aria-pressed=true]")).to_have_count(2)
    assert query(page)["_iso"] == "_8_0.5_0_all,_800_0.5_0_all"
    lines.nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".line[aria-pressed=true]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".line[aria-pressed=true]")).to_have_count(0)


def test_pointing_tells_the_nearest_values_first(visit: Opened, finished: str) -> None:
    page = ready(visit(f"#/experiments/{finished}/curves"))
    box = page.locator(".overlay").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    readout = page.locator(".readout").first
    expect(readout.locator("b")).to_have_text(re.compile(r"^epoch [34]"))
    top = [float(text.split(": ")[1]) for text in readout.locator("span").all_inner_texts()]
    assert len(top) == 3 and top == sorted(top, reverse=True)


def test_log_axes_count_what_they_cannot_show(visit: Opened, finished: str) -> None:
    page = ready(visit(f"#/experiments/{finished}/curves?metrics=val_loss"))
    expect(page.locator(".curve .notes")).to_have_text("")
    page.keyboard.press("k")
    expect(page.locator(".curve .notes")).to_contain_text("3 points ≤ 0 not shown on a log axis")
    assert query(page)["_xs"] == "log"


def test_the_badge_says_whether_every_value_is_drawn(visit: Opened, client: Client, long: str) -> None:
    page = ready(visit(f"#/experiments/{long}/curves?metrics=loss"))
    expect(page.locator(".curve .badge")).to_have_text(re.compile(r"^÷[0-9]{1,3}(\s[0-9]{3})* · min–max kept$"))
    last = client.curves(long, "loss", points=3).series[0].x[-1]
    page = ready(visit(f"#/experiments/{long}/curves?metrics=loss&x=step&from=1&to={min(50, last)}"))
    expect(page.locator(".curve .badge")).to_have_text("exact")


def test_a_diverged_cell_is_marked_and_does_not_set_the_scale(visit: Opened, diverged: str) -> None:
    page = ready(visit(f"#/experiments/{diverged}/curves?metrics=loss&x=step"))
    ended = page.locator(".legend .diverged", has_text="✕ diverged at ")
    expect(ended).to_have_count(1)
    expect(page.locator(".curve .notes")).to_contain_text("fitted to the lines that did not diverge")
    expect(page.locator(".cellmap a[data-status=diverged]")).to_have_count(1)
    expect(page.locator(".head .status")).to_have_text("succeeded")


def test_seeds_are_drawn_one_by_one_when_asked(visit: Opened, finished: str) -> None:
    page = ready(visit(f"#/experiments/{finished}/curves"))
    page.get_by_label("Lines").select_option("every seed")
    expect(page.locator(".legend .line")).to_have_count(9)
    assert query(page)["group"] == "cell"
    page.locator("#sizes summary").click()
    page.locator("#sizes label", has_text="800").locator("input").check()
    expect(page.locator(".legend .line")).to_have_count(3)
    assert query(page)["batch_size"] == "800"


def test_an_unknown_metric_is_a_problem_with_the_names_there_are(visit: Opened, finished: str) -> None:
    page = visit(f"#/experiments/{finished}/curves?metrics=los")
    expect(page.get_by_role("alert").filter(has_text="no series is called los")).to_be_visible()
