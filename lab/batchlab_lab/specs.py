"""Specs from files and from the command line."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
import yaml


class Loader(yaml.SafeLoader):
    """Plain YAML in which 1e-3 is a number, as in JSON and YAML 1.2 (YAML 1.1 reads a text)."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+\Z"), list("-+0123456789")
)


def read(path: Path) -> dict[str, Any]:
    """The spec in a JSON or YAML file (`-`: standard input); raises typer.BadParameter."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
        found = parse(text)
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} is neither JSON nor YAML: {error}") from error
    if not isinstance(found, dict):
        raise typer.BadParameter(
            f"{path} holds no spec: it must be an object with dataset, model, batch_sizes, lr, budget"
        )
    return found


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
        *above, last = path.split(".")
        inner = patch
        for key in above:
            inner = inner.setdefault(key, {})
        inner[last] = parse(value)
    return patch


def merge(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `patch` merged over it (RFC 7396: null removes a key)."""
    merged = dict(base)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            inner = merged.get(key)
            merged[key] = merge(inner if isinstance(inner, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged
