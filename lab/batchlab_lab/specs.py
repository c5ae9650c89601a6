"""Specs from files and from the command line."""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
import yaml


class Loader(yaml.SafeLoader):
    """Plain YAML in which 1e-3 is a number, as in JSON and YAML 1.2 (YAML 1.1 reads a text)."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+\Z"), list("-+0123456789")
)


def read(path: Path, settings: Sequence[str] = ()) -> dict[str, Any]:
    """The spec in a JSON or YAML file (`-`: standard input), changed by `settings`; raises typer.BadParameter."""
    from batchlab.merging import merge

    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
        found = parse(text)
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} is neither JSON nor YAML: {error}") from error
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{path} holds no spec: it must be an object, with dataset, model and so on")
    merged: dict[str, Any] = merge(found, overrides(settings))
    return merged


def parse(text: str) -> Any:
    """A JSON or YAML value."""
    try:
        return json.loads(text)
    except ValueError:
        return yaml.load(text, Loader)


def overrides(settings: Sequence[str]) -> dict[str, Any]:
    """`["lr.base=[0.1, 1]", "seeds=2"]` as a merge patch: a dotted path and a YAML value each."""
    patch: dict[str, Any] = {}
    for setting in settings:
        path, sign, value = setting.partition("=")
        if not sign or not path:
            raise typer.BadParameter(f"{setting!r}: write path=value, as in --set lr.base=0.1")
        _put(patch, setting, path.split("."), _value(setting, value))
    return patch


def _value(setting: str, text: str) -> Any:
    try:
        return parse(text)
    except yaml.YAMLError as error:
        raise typer.BadParameter(f"{setting!r}: what follows the = is neither JSON nor YAML") from error


def _put(patch: dict[str, Any], setting: str, path: Sequence[str], value: Any) -> None:
    *above, last = path
    for key in above:
        patch = patch.setdefault(key, {})
        if not isinstance(patch, dict):
            raise typer.BadParameter(f"--set {setting}: another --set has made {key} a value, which has no {last}")
    patch[last] = value
