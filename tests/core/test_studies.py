"""Studies are complete specs that train."""

from typing import Any, get_args

import pytest
from batchlab.claims.claim import places
from batchlab.expand import count, expand
from batchlab.plan import WorkLimits, plan
from batchlab.run import row
from batchlab.spec import parse_spec
from batchlab.studies import STUDIES, Size
from batchlab.verdicts import described

everyone = pytest.mark.parametrize("name", STUDIES)
SMOKE_UPDATES = 10_000
"""Updates of a smoke size, at the most: all studies together stay within minutes of the test run."""


@everyone
@pytest.mark.parametrize("size", get_args(Size))
def test_a_study_is_a_complete_spec_in_every_size(name: str, size: Size) -> None:
    spec = parse_spec(STUDIES[name].spec(size))
    assert spec.study == name
    assert plan(spec, WorkLimits(10_000, 10**9)).warnings == () or size == "smoke"


@everyone
def test_the_smoke_size_of_a_study_is_a_matter_of_seconds_and_needs_no_download(name: str) -> None:
    found = plan(parse_spec(STUDIES[name].spec("smoke")), WorkLimits(10_000, 10**9))
    assert found.updates <= SMOKE_UPDATES
    assert {cell.dataset.kind for cell in found.cells}.isdisjoint({"mnist", "fashion_mnist", "cifar10", "cifar100"})


@everyone
def test_a_study_says_what_it_asks_draws_and_claims(name: str) -> None:
    study = STUDIES[name]
    assert study.name == name
    assert all([study.title, study.source, study.question.endswith("?"), study.doc])
    assert len(set(study.plots)) == len(study.plots) > 0
    assert len({claim.id for claim in study.claims}) == len(study.claims) > 0


@everyone
@pytest.mark.parametrize("size", get_args(Size))
def test_a_claim_speaks_of_cells_that_its_study_has(name: str, size: Size) -> None:
    spec = parse_spec(STUDIES[name].spec(size))
    rows = described(spec, [row(cell, "queued", None) for cell in expand(spec)])
    for claim in STUDIES[name].claims:
        for field, place in places(claim.test).items():
            assert place.choose(rows), (claim.id, field)


def test_the_demo_is_the_textbooks_figure_in_full() -> None:
    spec = parse_spec(STUDIES["grad-norm-vs-batch"].spec("full"))
    found = plan(spec, WorkLimits(10_000, 10**9))
    assert (len(found.cells), found.updates) == (80, 4_632_500)


def test_overrides_are_merged_over_a_study() -> None:
    changes: dict[str, Any] = {"seeds": 2, "lr": {"base": 0.1}, "tags": None, "budget": {"epochs": None, "steps": 9}}
    spec = parse_spec(STUDIES["grad-norm-vs-batch"].spec("smoke", changes))
    assert (count(spec), spec.lr.base, spec.tags, spec.budget.steps) == (32, 0.1, (), 9)


def test_two_builds_of_a_study_share_nothing() -> None:
    STUDIES["grad-norm-vs-batch"].spec()["batch_sizes"].clear()
    assert len(STUDIES["grad-norm-vs-batch"].spec()["batch_sizes"]) == 16
