"""What an experiment costs, and what is refused before anything is built."""

from collections.abc import Callable
from typing import Any

import pytest
from batchlab.errors import TooLargeError
from batchlab.plan import WorkLimits, plan
from batchlab.spec import parse_spec

Document = Callable[..., dict[str, Any]]
ROOMY = WorkLimits(max_cells=10_000, max_updates=10**9)


def test_a_plan_counts_cells_updates_and_storage(document: Document) -> None:
    found = plan(parse_spec(document(batch_sizes=[100, 200], seeds=3, probes=[])), ROOMY)
    assert len(found.cells) == 6
    assert found.updates == 180
    # Two changing series (loss and step time) and four evaluated ones at 0, 10, 20, 30, with a pyramid of 4/7 of them.
    values = 30 * 2 * (1 + 4 / 7) + 4 * 4 * (1 + 4 / 7 + 2)
    assert found.storage_bytes == int(6 * values * 4)


def test_every_probe_adds_to_the_storage(document: Document) -> None:
    plain = plan(parse_spec(document(probes=[])), ROOMY)
    probed = plan(parse_spec(document(probes=[{"kind": "update_norm"}])), ROOMY)
    assert probed.storage_bytes == plain.storage_bytes + int(30 * (1 + 4 / 7) * 4) + 1


@pytest.mark.parametrize(
    ("limits", "number"), [(WorkLimits(5, 10**9), "6 cells"), (WorkLimits(10_000, 179), "180 updates")]
)
def test_an_experiment_over_a_limit_is_refused_with_the_numbers(
    limits: WorkLimits, number: str, document: Document
) -> None:
    with pytest.raises(TooLargeError, match=number):
        plan(parse_spec(document(batch_sizes=[100, 200], seeds=3)), limits)


def test_a_product_that_could_never_be_built_is_refused_all_the_same(document: Document) -> None:
    spec = parse_spec(document(seeds=10**12, budget={"epochs": 10**12}))
    with pytest.raises(TooLargeError, match=r"1000000000000 cells .* 8000000000000000000000000 updates"):
        plan(spec, ROOMY)


def test_a_cell_that_is_evaluated_only_at_its_end_earns_a_warning(document: Document) -> None:
    (warning,) = plan(parse_spec(document(evaluate={"every_steps": 31})), ROOMY).warnings
    assert "at batch 100" in warning
    assert plan(parse_spec(document(evaluate={"every_steps": 30})), ROOMY).warnings == ()
