"""Colours as the server's plots have them, and legible on their ground. No browser is needed to know."""

import re

import pytest
from batchlab_api.dashboard import FOLDER
from batchlab_api.plots import theme

PALETTE = (FOLDER / "curves" / "palette.js").read_text()
TOKENS = dict(re.findall(r"--([a-z-]+): light-dark\((#\w{6}), (?:#\w{6})\)", (FOLDER / "style.css").read_text()))
DARK = dict(re.findall(r"--([a-z-]+): light-dark\((?:#\w{6}), (#\w{6})\)", (FOLDER / "style.css").read_text()))
TEXTS = ("ink", "faint", "accent", "running", "diverged", "failed", "paused", "stalled", "good")
GROUNDS = ("paper", "panel")


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("tokens", [TOKENS, DARK], ids=["light", "dark"])
def test_text_stands_out_from_its_ground_by_four_and_a_half_to_one(tokens: dict[str, str]) -> None:
    weak = {(t, g): round(contrast(tokens[t], tokens[g]), 2) for t in TEXTS for g in GROUNDS
            if contrast(tokens[t], tokens[g]) < 4.5}  # fmt: skip
    assert weak == {}


@pytest.mark.parametrize("tokens", [TOKENS, DARK], ids=["light", "dark"])
def test_buttons_and_banners_are_legible(tokens: dict[str, str]) -> None:
    pairs = [("on-accent", "accent"), ("on-accent", "stalled"), ("on-accent", "failed"), ("accent", "wash")]
    assert {pair: contrast(*(tokens[name] for name in pair)) for pair in pairs if
            contrast(*(tokens[name] for name in pair)) < 4.5} == {}  # fmt: skip


@pytest.mark.parametrize("name", ["light", "dark"])
def test_curves_have_the_colours_of_the_plots(name: theme.Theme) -> None:
    listed = [tuple(re.findall(r"#\w{6}", line)) for line in re.findall(rf"  {name}: (\[.*\]),", PALETTE)]
    assert listed == [theme.RAMP[name], theme.NAMES[name]]
    ink = re.search(rf'{name}: {{ ink: "(#\w+)", faint: "(#\w+)", grid: "(#\w+)" }}', PALETTE)
    assert ink is not None
    assert ink.groups() == (theme.INK[name], theme.FAINT[name], theme.GRID[name])


def test_dashes_are_those_of_the_plots() -> None:
    [text] = re.findall(r"const DASHES = (\[.*?\]);", PALETTE, re.DOTALL)
    patterns = re.findall(r"\[([\d, ]+)\]", text)
    assert [tuple(map(int, p.split(", "))) for p in patterns] == list(theme.DASHES)
