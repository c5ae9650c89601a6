"""The walls of the house: who may import whom, and what the api never loads."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = {"core": "batchlab", "db": "batchlab_db", "worker": "batchlab_worker", "client": "batchlab_client",
            "api": "batchlab_api", "lab": "batchlab_lab"}  # fmt: skip


def test_the_import_directions_hold() -> None:
    done = subprocess.run([sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()",
                           "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_the_api_loads_neither_torch_nor_scikit_learn() -> None:
    code = "import sys, batchlab_api.app; print(sorted({'torch', 'sklearn', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for folder, package in PACKAGES.items()
        for path in (ROOT / folder / package).rglob("*.py")
        if path.stat().st_size and not path.read_text().lstrip().startswith(('"""', 'r"""'))
    ]
    assert silent == []


def test_the_locks_hold_every_direct_dependency_at_an_exact_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {_name(d) for d in wanted} - {"torch"}
    locked = {_name(line) for line in (ROOT / "requirements/dev.lock").read_text().splitlines() if "==" in line}
    assert names <= locked
    assert (ROOT / "requirements/torch.txt").read_text().startswith("torch==")


def _name(requirement: str) -> str:
    for stop in "[<>=;! \\":
        requirement = requirement.split(stop, maxsplit=1)[0]
    return requirement.lower().replace("_", "-")
