"""Which cells an analysis of a spec looks at together."""

from collections.abc import Callable
from typing import Any

import pytest
from batchlab.analyses.groups import groups
from batchlab.cell import Cell
from batchlab.errors import SpecError
from batchlab.plan import WorkLimits, plan
from batchlab.spec import parse_spec

Cells = Callable[..., tuple[Cell, ...]]
LIMITS = WorkLimits(1000, 10**6)


def test_one_takes_each_cell_and_all_takes_all(cells: Cells) -> None:
    found = cells(batch_sizes=[10, 20], seeds=2)
    assert groups("one", found) == [(0,), (1,), (2,), (3,)]
    assert groups("all", found) == [(0, 1, 2, 3)]
    assert groups("all", ()) == groups("two", ()) == []


def test_two_takes_the_smallest_and_the_largest_batch_of_each_seed(cells: Cells) -> None:
    found = cells(batch_sizes=[20, 10, 40], seeds=2)
    assert [found[i].batch_size for pair in groups("two", found) for i in pair] == [10, 40, 10, 40]
    assert [found[i].seed for pair in groups("two", found) for i in pair] == [0, 0, 1, 1]


def test_where_batches_do_not_differ_two_takes_seeds_in_a_row(cells: Cells) -> None:
    found = cells(seeds=3, lr={"rule": "list", "values": [0.1, 0.2]})
    pairs = [(found[i], found[j]) for i, j in groups("two", found)]
    assert [(a.lr, a.seed, b.seed) for a, b in pairs] == [(0.1, 0, 1), (0.1, 1, 2), (0.2, 0, 1), (0.2, 1, 2)]
    assert all(a.lr == b.lr for a, b in pairs)


def test_three_takes_the_smallest_the_middle_and_the_largest_batch_or_seeds_in_a_row(cells: Cells) -> None:
    found = cells(batch_sizes=[40, 10, 20, 5, 80], seeds=2)
    assert [found[i].batch_size for three in groups("three", found) for i in three] == [5, 20, 80, 5, 20, 80]
    two = cells(batch_sizes=[10, 20], seeds=4)
    threes = [[(two[i].batch_size, two[i].seed) for i in three] for three in groups("three", two)]
    assert threes == [[(size, seed + i) for i in range(3)] for size in (10, 20) for seed in (0, 1)]
    assert groups("three", cells(seeds=2)) == []


def test_an_analysis_has_the_last_weights_kept_for_it(document: Callable[..., Any]) -> None:
    spec = parse_spec(document(analyses=[{"kind": "sharpness"}]))
    assert [keep.kind for keep in plan(spec, LIMITS).cells[0].checkpoints] == ["last"]
    assert spec.checkpoints == ()
    asked = document(analyses=[{"kind": "sharpness"}], checkpoints=[{"kind": "last"}, {"kind": "best"}])
    assert [keep.kind for keep in plan(parse_spec(asked), LIMITS).cells[0].checkpoints] == ["last", "best"]


def test_a_plan_counts_the_analyses(document: Callable[..., Any]) -> None:
    asked = [{"kind": "sharpness"}, {"kind": "interpolation"}, {"kind": "barrier_matrix"}]
    assert plan(parse_spec(document(seeds=3, analyses=asked)), LIMITS).analyses == 3 + 2 + 1


@pytest.mark.parametrize(
    ("analysis", "words"),
    [
        ({"kind": "interpolation"}, "takes two cells"),
        ({"kind": "plane"}, "takes three cells"),
        ({"kind": "trajectory"}, "ask for one in `checkpoints`"),
    ],
)
def test_an_analysis_that_makes_no_sense_is_refused(document: Callable[..., Any], analysis: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        plan(parse_spec(document(analyses=[analysis])), LIMITS)
    assert caught.value.faults[0].loc[:2] == ("analyses", 0)


def test_every_variant_must_keep_the_trajectory_that_is_looked_at(document: Callable[..., Any]) -> None:
    keeping, none = {"name": "a"}, {"name": "b", "checkpoints": []}
    asked = document(analyses=[{"kind": "trajectory"}], checkpoints=[{"kind": "trajectory"}])
    assert plan(parse_spec(asked | {"variants": [keeping]}), LIMITS).analyses == 1
    with pytest.raises(SpecError, match="of the variant b") as caught:
        plan(parse_spec(asked | {"variants": [keeping, none]}), LIMITS)
    assert caught.value.faults[0].loc == ("analyses", 0)
    own = asked | {"checkpoints": [], "variants": [{"name": "c", "checkpoints": [{"kind": "trajectory"}]}]}
    assert plan(parse_spec(own), LIMITS).analyses == 1
