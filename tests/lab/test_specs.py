"""Specs from files and from the command line."""

from pathlib import Path
from typing import Any

import pytest
import typer
from batchlab_lab import specs


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"lr": 1e-3}', {"lr": 1e-3}),
        ("lr: 1e-3", {"lr": 1e-3}),
        ("lr: -2.5E+2", {"lr": -250.0}),
        ("sizes: [1, 10%, full]", {"sizes": [1, "10%", "full"]}),
        ("name: 1e3x", {"name": "1e3x"}),
    ],
)
def test_json_and_yaml_say_the_same(text: str, value: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "spec").write_text(text)
    assert specs.read(tmp_path / "spec") == value


def test_settings_are_merged_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "spec").write_text("lr: {rule: fixed, base: 1}\nnote: x")
    found = specs.read(tmp_path / "spec", ["lr.base=[0.1, 1e-2]", "seeds=2", "note=null"])
    assert found == {"lr": {"rule": "fixed", "base": [0.1, 0.01]}, "seeds": 2}


@pytest.mark.parametrize("text", ["[1, 2]", "a: b: c", "", "\x00"])
def test_what_is_no_spec_is_refused_by_the_files_name(text: str, tmp_path: Path) -> None:
    (tmp_path / "spec").write_text(text)
    with pytest.raises(typer.BadParameter, match="spec"):
        specs.read(tmp_path / "spec")


@pytest.mark.parametrize("setting", ["lr", "=1"])
def test_a_setting_without_path_or_value_is_refused(setting: str) -> None:
    with pytest.raises(typer.BadParameter, match="path=value"):
        specs.overrides([setting])


@pytest.mark.parametrize("second", ["a.b=2", "a.b.c=2"])
def test_settings_that_contradict_each_other_are_refused_by_the_second_ones_name(second: str) -> None:
    with pytest.raises(typer.BadParameter, match=rf"--set {second}: .* a a value"):
        specs.overrides(["a=1", second])


def test_a_value_that_is_no_yaml_is_refused_by_its_name() -> None:
    with pytest.raises(typer.BadParameter, match=r"'a=\[1': .*neither"):
        specs.overrides(["a=[1"])


def test_a_file_that_runs_no_code(tmp_path: Path) -> None:
    (tmp_path / "spec").write_text("a: !!python/object/apply:os.system [exit]")
    with pytest.raises(typer.BadParameter):
        specs.read(tmp_path / "spec")
