"""Commands that need no lab, and what a wrong command line leads to."""

import io
import json
import socket
from pathlib import Path

import pytest
from batchlab_db.settings import settings as process_settings
from batchlab_lab import cli, exits, show

SPEC = {
    "name": "small",
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [50, "full"],
    "lr": {"rule": "fixed", "base": 0.5},
    "budget": {"epochs": 2},
}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each command line is a process of its own: nothing is remembered from the one before."""
    monkeypatch.setenv("BATCHLAB_HOME", str(tmp_path / "home"))
    process_settings.cache_clear()
    show.console.cache_clear()


@pytest.fixture
def spec(tmp_path: Path) -> str:
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    return str(tmp_path / "spec.json")


@pytest.mark.parametrize("words", [[], ["nonsense"], ["watch"], ["up", "--port", "x"], ["submit", "/nowhere.json"]])
def test_a_wrong_command_line_is_refused_and_helped(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(words) == exits.REFUSED
    assert "batchlab" in "".join(capsys.readouterr())


def test_a_server_that_is_away_has_its_own_status(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    assert cli.run(["submit", spec, "--url", url]) == exits.NOT_REACHED
    assert "batchlab up" in capsys.readouterr().err


def test_a_spec_is_trained_without_a_lab(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["run", spec, "--device", "cpu"]) == exits.SUCCEEDED
    out = capsys.readouterr().out
    assert "cell 2 of 2: batch 800, succeeded" in out
    assert "best_val_loss" in out


def test_its_results_are_there_for_programs_too(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["run", spec, "--set", "seeds=2", "--json"]) == exits.SUCCEEDED
    found = json.loads(capsys.readouterr().out)
    assert len(found["cells"]) == 4
    assert [group["n"] for group in found["groups"]] == [2, 2]


def test_a_wrong_spec_is_refused_with_its_path(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["run", spec, "--set", "budget.epochs=0"]) == exits.REFUSED
    assert "budget.epochs" in capsys.readouterr().err


def test_data_that_is_missing_fails_with_the_remedy(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["run", spec, "--set", "dataset.kind=mnist"]) == exits.FAILED
    assert "batchlab data fetch mnist" in capsys.readouterr().err


def test_data_sets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["data", "list", "--json"]) == exits.SUCCEEDED
    found = {item["name"]: item["available"] for item in json.loads(capsys.readouterr().out)}
    assert found["sectors"] is True
    assert found["mnist"] is False


def test_an_unknown_data_set_is_told_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["data", "fetch", "nonsense"]) == exits.FAILED
    assert "sectors" in capsys.readouterr().err


def test_the_token_is_printed_or_missed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["token"]) == exits.FAILED
    monkeypatch.setenv("BATCHLAB_TOKEN", "bl_secret")
    process_settings.cache_clear()
    assert cli.run(["token"]) == exits.SUCCEEDED
    assert capsys.readouterr().out == "bl_secret\n"


def test_migrations_lead_to_the_tables_of_the_code() -> None:
    assert cli.run(["migrate", "--check"]) == exits.SUCCEEDED


def test_a_restore_that_nobody_agreed_to_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert cli.run(["restore", str(tmp_path / "lab.dump")]) == exits.INTERRUPTED
    assert not (tmp_path / "home").exists()


def test_data_of_ones_own_are_trained_on_without_a_lab(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, spec = tmp_path / "rows.csv", tmp_path / "own.json"
    table.write_text("width,height,kind\n" + "".join(f"{i},{i * i},{i % 2}\n" for i in range(20)))
    spec.write_text(json.dumps(SPEC | {"dataset": {"kind": "user", "name": "rows"}, "batch_sizes": [4]}))
    assert cli.run(["run", str(spec)]) == exits.REFUSED
    assert "batchlab data add rows FILE" in capsys.readouterr().err
    assert cli.run(["data", "add", "rows", str(table), "--label", "kind", "--local"]) == exits.SUCCEEDED
    assert "rows: 20 rows for training, 0 for testing, 2 classes" in capsys.readouterr().out
    assert cli.run(["data", "list", "--json"]) == exits.SUCCEEDED
    assert json.loads(capsys.readouterr().out)[-1]["name"] == "rows"
    assert cli.run(["run", str(spec)]) == exits.SUCCEEDED


@pytest.mark.parametrize(("name", "said"), [("iris", "cannot be a name"), ("My data", "cannot be a name"),
                                            ("rows", "no column is called 'label'")])  # fmt: skip
def test_data_that_cannot_be_added_are_refused(
    name: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n1,0\n2,1\n")
    assert cli.run(["data", "add", name, str(tmp_path / "rows.csv"), "--local"]) == exits.FAILED
    assert said in capsys.readouterr().err
