"""Adding seeds: after the last cell, within the limits, and only where there are such seeds."""

from collections.abc import Callable
from typing import Any

import pytest
from batchlab.errors import SpecError, TooLargeError
from batchlab.expand import count, expand
from batchlab.experiment import LARGEST_SEED
from batchlab.plan import WorkLimits, plan
from batchlab.seeds import add_seeds
from batchlab.spec import parse_spec

Document = Callable[..., dict[str, Any]]
ROOMY = WorkLimits(max_cells=10_000, max_updates=10**9)


@pytest.mark.parametrize(("seeds", "new"), [(2, [2, 3, 4]), ([5, 1], [6, 7, 8])])
def test_added_seeds_go_on_after_the_last_cell(seeds: Any, new: list[int], document: Document) -> None:
    spec = parse_spec(document(batch_sizes=[10, 20], seeds=seeds))
    grown = add_seeds(spec, 3, ROOMY)
    assert [(c.ordinal, c.batch_size, c.seed) for c in grown.new] == list(
        zip(range(4, 10), [10] * 3 + [20] * 3, new * 2, strict=True)
    )
    everything = {(c.batch_size, c.seed) for c in (*expand(spec), *grown.new)}
    assert {(c.batch_size, c.seed) for c in expand(grown.spec)} == everything
    again = add_seeds(parse_spec(grown.spec.model_dump(mode="json")), 1, ROOMY)
    assert [c.ordinal for c in again.new] == [10, 11]
    assert count(again.spec) == 12


def test_added_seeds_reach_a_variant_with_seeds_of_its_own(document: Document) -> None:
    spec = parse_spec(document(variants=[{"name": "a"}, {"name": "b", "seeds": [9]}]))
    grown = add_seeds(spec, 1, ROOMY)
    assert [(c.ordinal, c.variant, c.seed) for c in grown.new] == [(2, "a", 1), (3, "b", 10)]
    assert {(c.variant, c.seed) for c in expand(grown.spec)} == {("a", 0), ("a", 1), ("b", 9), ("b", 10)}


def test_a_grown_spec_costs_what_its_plan_says(document: Document) -> None:
    variants = [{"name": "a", "momentum": [0.0, 0.9]}, {"name": "b", "seeds": [9, 3, 1], "budget": {"steps": 7}}]
    grown = add_seeds(parse_spec(document(variants=variants, batch_sizes=[10, 20], seeds=2)), 4, ROOMY)
    whole = plan(grown.spec, ROOMY)
    assert (grown.cells, grown.updates) == (len(whole.cells), whole.updates)


@pytest.mark.parametrize("seeds", [[LARGEST_SEED], [0, LARGEST_SEED - 1]])
def test_seeds_beyond_the_largest_are_refused_in_words(seeds: list[int], document: Document) -> None:
    with pytest.raises(SpecError, match=r"seeds: 2 more would pass 4294967295"):
        add_seeds(parse_spec(document(seeds=seeds)), 2, ROOMY)
    with pytest.raises(SpecError, match="variants"):
        parse_spec(document(variants=[{"name": "a", "seeds": [LARGEST_SEED + 1]}]))


@pytest.mark.parametrize("seeds", [1, [4]])
def test_more_seeds_than_could_ever_be_built_are_refused_with_the_numbers(seeds: Any, document: Document) -> None:
    with pytest.raises(TooLargeError, match=r"1000000000001 cells .* 30000000000030 updates"):
        add_seeds(parse_spec(document(seeds=seeds)), 10**12, ROOMY)
