"""The elastic band: its geometry on paper, and a chain without a barrier between two networks."""

from typing import Any

import numpy as np
import pytest
import torch
from batchlab.analyses.base import Held
from batchlab.analyses.elastic import Cycle, _descend, _put, chain, cycles, lengths, spread, tangent

CORNER = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 3.0]], dtype=torch.float64)


def test_a_chain_is_followed_by_its_length() -> None:
    assert lengths(CORNER).tolist() == [0.0, 0.25, 1.0]
    path = chain(CORNER)
    for t, place in ((0.0, [0, 0]), (0.125, [0.5, 0]), (0.25, [1, 0]), (0.625, [1, 1.5]), (1.0, [1, 3])):
        assert path(t).tolist() == pytest.approx(place)


def test_points_are_spread_equally_and_ends_stay() -> None:
    torch.testing.assert_close(spread(CORNER)[1], torch.tensor([1.0, 1.0], dtype=torch.float64))
    line = torch.tensor([[0.0, 0.0], [0.1, 0.2], [0.1, 0.2], [0.4, 0.8], [1.0, 2.0]], dtype=torch.float64)
    again = spread(line)
    assert torch.equal(again[[0, -1]], line[[0, -1]])
    np.testing.assert_allclose(lengths(again), [0, 0.25, 0.5, 0.75, 1])


def test_the_tangent_looks_to_the_higher_neighbour() -> None:
    assert tangent(CORNER, np.array([1.0, 2.0, 3.0])).tolist() == [0, 1]
    assert tangent(CORNER, np.array([3.0, 2.0, 1.0])).tolist() == [1, 0]
    # At a maximum both sides count: the way ahead (0, 3) times 3, as the loss differs by 3 behind and 1 ahead.
    top = torch.tensor([1.0, 9.0], dtype=torch.float64)
    torch.testing.assert_close(tangent(CORNER, np.array([1.0, 4.0, 3.0])), top / top.norm())


def test_fourteen_cycles_of_the_source() -> None:
    plan = cycles(1000)
    assert len(plan) == 14
    assert [(c.updates, c.lr) for c in (plan[0], plan[4], plan[6], plan[13])] == [
        (1000, 0.1),
        (2000, 0.1),
        (1000, 0.01),
        (1000, 0.001),
    ]


def test_a_band_bends_around_a_hill() -> None:
    """The loss (1 - x^2 - y^2)^2 between (-1, 0) and (1, 0): a hill in the middle, a valley on the unit circle."""

    def slopes(points: torch.Tensor, update: int) -> Any:
        rest = 1 - points.square().sum(1)
        return rest.square().numpy(), -4 * rest[:, None] * points

    class Plane:
        def tensor(self, values: Any) -> torch.Tensor:
            return torch.from_numpy(np.array(values))

    x = torch.linspace(-1, 1, 9, dtype=torch.float64)
    held = Held({})
    _put(held, torch.stack([x, 0.01 * (1 - x**2)], 1), cycle=0, done=0)
    for _ in range(60):
        _descend(Plane(), Cycle(300, 0.02), slopes, held)  # type: ignore[arg-type]
    radii = np.linalg.norm(held["points"], axis=1)
    np.testing.assert_allclose(radii, 1, atol=0.03)
    assert held["points"][4, 1] > 0.95


def test_an_elastic_band_has_no_barrier_where_the_straight_line_has_one(subjects: Any, analyse: Any) -> None:
    spec = {"dataset": {"kind": "digits"}, "model": {"kind": "mlp", "widths": [32]}, "budget": {"steps": 400}}
    given = subjects(**spec, lr={"rule": "fixed", "base": 0.3}, seeds=[0, 1], split_seed=0)
    finding = analyse(given, kind="elastic_band", updates=8, batch=150, rows=300, points=21)
    assert finding.values["pivots"] == 5 + 2 * 13
    assert finding.values["straight_barrier"] > 0.1
    assert finding.values["barrier"] < 0.2 * finding.values["straight_barrier"]
    assert finding.values["length"] > finding.values["distance"]


def test_a_band_killed_after_every_piece_ends_with_the_same_bits(
    subjects: Any, analyse: Any, torn: Any, equal: Any
) -> None:
    given, document = subjects(seeds=[0, 1]), {"kind": "elastic_band", "updates": 3, "points": 9, "batch": 40}
    finding, pieces = torn(given, **document)
    assert pieces > 30
    assert equal(finding, analyse(given, **document))
