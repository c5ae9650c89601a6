"""What is kept of studies that were run: their endings, and the page that shows them all."""

from pathlib import Path
from typing import Any

import pytest
from batchlab_client import models
from batchlab_lab import exits
from batchlab_lab.studies import index
from batchlab_lab.studies.outcome import FILE, Outcome, load, save
from batchlab_lab.studies.picture import fits
from batchlab_lab.studies.run import unfinished


def study(name: str, title: str = "A study") -> models.Study:
    text = {"title": title, "source": "figure 1", "question": "Is <it> so?", "doc": ""}
    return models.Study(name=name, **text, spec={}, sizes=["small"], plots=["p"], claims=[], links={})


def ended(name: str = "one", **fields: Any) -> Outcome:
    cells = models.CellCounts(succeeded=3, diverged=1)
    well: dict[str, Any] = {"size": "small", "status": "succeeded", "cells": cells, "updates": 1200, "plots": ["p"]}
    return Outcome(study=study(name), **(well | fields))


def keep(folder: Path, outcome: Outcome) -> None:
    place = folder / outcome.study.name
    place.mkdir(parents=True)
    (place / "p.svg").write_text("<svg></svg>")
    save(place, outcome)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, exits.SUCCEEDED),
        ({"faults": ["plot p: busy"]}, exits.FAILED),
        ({"status": "cancelled", "faults": ["it ended as cancelled"]}, exits.CANCELLED),
        ({"status": "refused", "faults": ["no data"]}, exits.FAILED),
    ],
)
def test_an_ending_calls_for_its_exit_status(fields: dict[str, Any], status: int) -> None:
    assert ended(**fields).exit == status


def test_a_study_is_one_line_and_a_line_for_each_fault() -> None:
    assert ended(seconds=65).line == "one: succeeded · 3 succeeded, 1 diverged · 1,200 updates · 1 of 1 plots · 1:05"
    assert ended(faults=["plot p: busy"]).line.endswith("\n  plot p: busy")


def test_verdicts_are_counted_in_the_line_and_told_on_the_page(tmp_path: Path) -> None:
    numbers: dict[str, Any] = dict.fromkeys(
        ("effect", "smallest_effect", "ci95", "ci_holm", "p", "p_holm", "hedges_g", "seeds_needed", "left_out")
    )
    claim = {"text": "It <falls>.", "source": "figure 1", "reason": "because", "test": "t", "measured": "a slope"}
    claims = [
        models.Verdict(id=str(i), verdict=verdict, claimed=(None, None), n=3, cells=[], **claim, **numbers)
        for i, verdict in enumerate(("supported", "inconclusive", "supported"))
    ]
    outcome = ended(claims=claims)
    assert "2 supported, 1 inconclusive" in outcome.line
    keep(tmp_path, outcome)
    index.write(tmp_path, "small")
    assert "It &lt;falls&gt;." in (tmp_path / index.PAGE).read_text()


def test_going_on_leaves_out_what_ended_well_at_that_size(tmp_path: Path) -> None:
    keep(tmp_path, ended("well"))
    keep(tmp_path, ended("badly", faults=["why"]))
    studies = [study("well"), study("badly"), study("new")]
    assert [s.name for s in unfinished(studies, "small", tmp_path)] == ["badly", "new"]
    assert len(unfinished(studies, "full", tmp_path)) == 3


def test_an_ending_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert load(tmp_path) is None
    (tmp_path / FILE).write_text("{}")
    assert load(tmp_path) is None


def test_the_page_holds_every_picture_and_escapes_what_it_tells(tmp_path: Path) -> None:
    keep(tmp_path, ended("one"))
    keep(tmp_path, ended("two", faults=["a < b"]))
    keep(tmp_path, ended("other", size="full"))
    index.write(tmp_path, "small")
    page = (tmp_path / index.PAGE).read_text()
    assert "1 of 2 studies ended well" in page and "other" not in page
    assert page.count("data:image/svg+xml;base64,") == 2
    assert "a &lt; b" in page and "Is &lt;it&gt; so?" in page


@pytest.mark.parametrize(
    ("picture", "fit"),
    [
        (b'<svg xmlns="x" width="480" height="220">', True),
        (b'<svg xmlns="x" width="480" height="900">', False),
        (b'<svg xmlns="x" width="480" height="220">Nothing to show', False),
        (b'<svg xmlns="x" width="480" height="220">' + b" " * 80_000, False),
        (b"<svg>", False),
    ],
)
def test_a_picture_for_a_card_is_small_and_wide_and_shows_something(picture: bytes, fit: bool) -> None:
    assert fits(picture) is fit
