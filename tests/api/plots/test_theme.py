"""Colours that are seen: on their background, by the colour-blind, and on grey paper."""

import pytest
from batchlab_api.plots import theme

THEMES: tuple[theme.Theme, ...] = ("light", "dark")


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_contrast_formula_gives_the_known_extremes() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("kind", THEMES)
@pytest.mark.parametrize("count", [1, 2, 7, 16, 97])
def test_every_line_stands_out_from_its_background(kind: theme.Theme, count: int) -> None:
    for colour in (*theme.ramp(count, kind), *theme.names(count, kind)):
        assert contrast(colour, theme.BACKGROUND[kind]) >= 3


@pytest.mark.parametrize("kind", THEMES)
def test_every_text_can_be_read(kind: theme.Theme) -> None:
    for colour in (theme.INK[kind], theme.FAINT[kind]):
        assert contrast(colour, theme.BACKGROUND[kind]) >= 4.5


@pytest.mark.parametrize("kind", THEMES)
def test_the_ramp_keeps_its_order_in_grey(kind: theme.Theme) -> None:
    greys = [luminance(colour) for colour in theme.ramp(16, kind)]
    assert greys == sorted(greys, reverse=kind == "dark")
    assert len(set(greys)) == 16


@pytest.mark.parametrize("count", range(1, 7))
def test_up_to_six_lines_differ_without_colour(count: int) -> None:
    assert len({tuple(dash) for dash in theme.dashes(count)}) == count
    assert len(set(theme.shapes(count))) == count


def test_the_ramp_begins_and_ends_at_its_anchors() -> None:
    found = theme.ramp(5, "light")
    assert (found[0], found[-1]) == (theme.RAMP["light"][0], theme.RAMP["light"][-1])
