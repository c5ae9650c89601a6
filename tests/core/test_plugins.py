"""An installed package adds kinds of its own by an entry point, without a fork."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODEL = '''
from typing import Literal
from batchlab.models import Softmax

class Plane(Softmax):
    """A plane of one's own."""
    kind: Literal["plane"] = "plane"
'''
RULE = '''
from typing import Literal
from batchlab.lr_rules import Fixed

class Halved(Fixed):
    """Half the base."""
    rule: Literal["halved"] = "halved"
    def rates(self, entry, batch_size):
        return tuple(rate / 2 for rate in super().rates(entry, batch_size))
'''
ENTRY_POINTS = "[batchlab.kinds]\nmodels.plane = own_models:Plane\nlr_rules.halved = own_rules:Halved\n"
PROGRAM = """
from pathlib import Path
from batchlab.catalog import catalog
from batchlab.run import run
from batchlab.spec import parse_spec
spec = parse_spec({"dataset": {"kind": "sectors"}, "model": {"kind": "plane"}, "batch_sizes": [400],
                   "lr": {"rule": "halved", "base": 0.5}, "budget": {"steps": 2}})
(item,) = run(spec, Path())
print(item.row["status"], item.cell.lr, catalog()["models"]["plane"]["doc"])
"""


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment of a program that has such a package."""
    facts = tmp_path / "own_kinds-1.0.dist-info"
    facts.mkdir()
    (tmp_path / "own_models.py").write_text(MODEL)
    (tmp_path / "own_rules.py").write_text(RULE)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: own-kinds\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(ENTRY_POINTS)
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def run(program: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)


def test_an_installed_package_adds_kinds(installed: dict[str, str]) -> None:
    done = run(PROGRAM, installed)
    assert done.stdout.strip() == "succeeded 0.25 A plane of one's own.", done.stderr


def test_a_package_imported_before_the_lab_is_told_the_order(installed: dict[str, str]) -> None:
    assert "import batchlab.spec before own_models" in run("import own_models", installed).stderr
