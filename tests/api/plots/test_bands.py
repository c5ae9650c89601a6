"""Bands of a loss over a plane, and the surface over it, against shapes that are known."""

from collections import defaultdict

import numpy as np
import pytest
from batchlab_api.plots.bands import BANDS, Panel, regions
from batchlab_api.plots.surface import seen, squares_of

GRID = np.linspace(-1.0, 1.0, 21)
X, Y = np.meshgrid(GRID, GRID)
LOW, HIGH = 0.01, 1.0
EDGES = np.geomspace(LOW, HIGH, BANDS + 1)


def panel(loss: np.ndarray) -> Panel:
    return Panel("", tuple(GRID), tuple(GRID), tuple(map(tuple, loss)))


def painted(loss: np.ndarray) -> list[tuple[float, float]]:
    """Band and area of each region, in the order in which they are painted."""
    corners = defaultdict(list)
    for row in regions(panel(loss), (LOW, HIGH)):
        corners[row["i"]].append((row["x"], row["y"], row["loss"]))
    found = []
    for points in corners.values():
        x, y, band = np.array(points).T
        found.append((band[0], abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2))
    return found


def test_the_bands_of_a_round_basin_are_discs_the_larger_ones_first() -> None:
    # exp(r^2) has straight logarithms of r^2: each band ends where r^2 = log(edge / LOW) / log(HIGH / LOW)
    found = painted(LOW * (HIGH / LOW) ** np.clip(X**2 + Y**2, 0, 1))
    assert len(found) == BANDS
    assert found[0][1] == pytest.approx(4.0)
    for (band, area), share in zip(found[1:], np.arange(1, BANDS)[::-1] / BANDS, strict=True):
        assert area == pytest.approx(np.pi * share, rel=0.05, abs=0.005)
        edge = LOW * (HIGH / LOW) ** share
        assert edge / (HIGH / LOW) ** (1 / BANDS) < band < edge


def test_a_hill_in_a_plain_is_painted_over_it_in_higher_bands() -> None:
    found = painted(LOW * (HIGH / LOW) ** (1 - np.clip(2 * np.hypot(X, Y), 0, 1)))
    bands = [band for band, _ in found]
    assert bands[BANDS - 1] < EDGES[1]  # the whole plain, last of what the rim closes
    hill = bands[BANDS:]
    assert len(hill) == BANDS - 1
    assert hill == sorted(hill) and hill[-1] > EDGES[-2]


def test_points_that_are_not_finite_belong_to_the_uppermost_band() -> None:
    loss = np.full((21, 21), LOW)
    loss[5, 5] = np.nan
    assert max(band for band, _ in painted(loss)[1:]) > EDGES[-2]


def test_squares_are_drawn_from_the_back_and_lie_where_the_corner_is_seen_from() -> None:
    rows = squares_of(panel(LOW * (HIGH / LOW) ** ((X + 1) / 2)), (LOW, HIGH))
    assert len(rows) == 4 * 20 * 20
    first, last = (min(row["y"] for row in rows[part]) for part in (slice(0, 4), slice(-4, None)))
    assert first > last  # what is far away stands higher in the picture
    cube = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    near, right, left, top = (seen(*map(np.array, at)) for at in cube)
    assert left[0] < near[0] < right[0] and top[0] == near[0] and top[1] > near[1]
    assert max(row["x"] for row in rows) <= 1 and min(row["x"] for row in rows) >= 0
