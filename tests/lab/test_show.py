"""What commands print."""

from typing import Any

import pytest
from batchlab_client import models
from batchlab_lab import show


def group(**by: Any) -> models.Group:
    loss = {"mean": 0.12345678, "sd": 0.01, "ci95": [0.1, 0.14]}
    return models.Group.model_validate({"by": by, "n": 2, "n_diverged": 0, "n_failed": 0, "val_loss": loss})


def test_a_table_shows_what_differs_and_the_interval(capsys: pytest.CaptureFixture[str]) -> None:
    show.console.cache_clear()
    show.results([group(batch_size=1, lr=0.5), group(batch_size=2, lr=0.5)])
    out = capsys.readouterr().out
    assert "batch_size" in out
    assert "0.1235 ± 0.02" in out
    assert " lr " not in out


def test_a_metric_without_a_number_in_any_group_has_no_column(capsys: pytest.CaptureFixture[str]) -> None:
    show.console.cache_clear()
    show.results([group(batch_size=1)], ["val_loss", "val_accuracy"])
    out = capsys.readouterr().out
    assert "val_loss" in out
    assert "val_accuracy" not in out


def test_a_metric_is_known_once_some_group_has_a_number_for_it() -> None:
    assert show.measured([group(batch_size=1)]) == {"val_loss"}
    assert show.measured([]) == set()


def test_the_axes_of_one_group_are_those_that_say_something() -> None:
    assert show.differing([{"variant": None, "batch_size": 1}]) == ["batch_size"]


def test_a_name_cannot_steer_the_terminal() -> None:
    assert show.printable("a\x1b[31mb\u202ec\r") == "a\ufffd[31mb\ufffdc\ufffd"


def test_brackets_in_a_name_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    show.console.cache_clear()
    show.say("[bold]x[/bold]")
    show.rows(["[red]a"], [["[/red]"]])
    out = capsys.readouterr().out
    assert "[bold]x[/bold]" in out
    assert "[/red]" in out


@pytest.mark.parametrize(("seconds", "text"), [(5, "0:05"), (65, "1:05"), (7265, "2:01:05")])
def test_durations_read_as_clocks_do(seconds: float, text: str) -> None:
    assert show.duration(seconds) == text
