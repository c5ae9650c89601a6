"""Every study by its name, in its smoke size, through HTTP: posted, trained, each of its plots drawn."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from batchlab.studies import STUDIES
from batchlab_client import Client
from batchlab_lab import cli, exits
from batchlab_lab.embedded import Embedded
from batchlab_lab.follow import await_analyses

PATIENCE = 240


@pytest.fixture(scope="module")
def posted(lab: Embedded, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Experiments by study, all posted before the first is waited for, so that no worker is ever idle."""
    here = [item for item in request.session.items if item.path == request.path]
    names = {item.callspec.params["name"] for item in here if hasattr(item, "callspec")}
    with Client(lab.url) as client:
        yield {name: client.run_study(name, size="smoke").id for name in STUDIES if name in names}


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_runs_by_its_name_and_draws_its_plots(name: str, client: Client, posted: dict[str, str]) -> None:
    id = posted[name]
    ended = client.wait(id, timeout=PATIENCE)
    assert (ended.study, ended.status, ended.progress.cells.failed) == (name, "succeeded", 0), ended.error
    assert [one.message for one in await_analyses(client, id) if one.status != "succeeded"] == []
    listed = [plot.name for plot in client.plots(id)]
    assert listed[: len(STUDIES[name].plots)] == list(STUDIES[name].plots)
    assert {claim.id for claim in client.verdicts(id).claims} == {claim.id for claim in STUDIES[name].claims}
    for plot in STUDIES[name].plots:
        chart = json.loads(client.plot(id, plot, "json"))
        assert "Nothing to show" not in json.dumps(chart), f"{plot} is empty"
        assert client.plot(id, plot, "svg").startswith(b"<svg"), plot


def test_studies_are_run_from_the_command_line_into_a_folder(lab: Embedded, tmp_path: Path) -> None:
    words = ["studies", "run", "--size", "smoke", "--only", "time-per-update", "-o", str(tmp_path), "--url", lab.url]
    assert cli.run(words) == exits.SUCCEEDED
    page = (tmp_path / "index.html").read_text()
    plots = STUDIES["time-per-update"].plots
    assert page.count("data:image/svg+xml;base64,") == len(plots)
    assert all((tmp_path / "time-per-update" / f"{plot}.png").stat().st_size for plot in plots)
    assert all((tmp_path / "time-per-update" / f"picture.{theme}.svg").exists() for theme in ("light", "dark"))
    assert all(claim.text in page for claim in STUDIES["time-per-update"].claims)


def test_a_study_that_does_not_exist_is_refused_with_those_that_do(
    lab: Embedded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["studies", "run", "--only", "nothing", "--url", lab.url]) == exits.REFUSED
    assert "time-per-update" in "".join(capsys.readouterr())
    assert cli.run(["studies", "--json", "--url", lab.url]) == exits.SUCCEEDED
    assert {study["name"] for study in json.loads(capsys.readouterr().out)} == set(STUDIES)


def test_experiments_are_compared_on_the_command_line(
    client: Client, lab: Embedded, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = {
        "dataset": {"kind": "sectors"},
        "model": {"kind": "softmax"},
        "batch_sizes": [50, 200],
        "lr": {"rule": "fixed", "base": 0.5},
        "budget": {"epochs": 2},
    }
    ids = [client.submit({**spec, "momentum": momentum}).id for momentum in (0.0, 0.9)]
    assert all(client.wait(id, timeout=PATIENCE).status == "succeeded" for id in ids)
    assert cli.run(["compare", *ids, "--json", "--url", lab.url]) == exits.SUCCEEDED
    found = json.loads(capsys.readouterr().out)
    assert found["specs"] == {"momentum": [0.0, 0.9]}
    assert [len(values) for values in found["points"].values()] == [2] * 2
    assert cli.run(["compare", *ids, "--url", lab.url]) == exits.SUCCEEDED
    assert "momentum" in capsys.readouterr().out
    assert cli.run(["compare", ids[0], "--url", lab.url]) == exits.REFUSED
