"""What the benchmarks share: the machine's description, a lab to run on, and where results go."""

import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil
from batchlab.calibration import processor
from batchlab.cell import Cell
from batchlab.engines import IN_TURN
from batchlab.engines.base import Engine
from batchlab_client import Client
from batchlab_lab.embedded import Embedded
from batchlab_lab.home import Home

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
SHARED = ROOT.parent / "shared" / "data"


def machine() -> str:
    """One line: processor, cores, memory, Python, torch."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores of {processor()}, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, torch {version('torch')}, numpy {version('numpy')}"
    )


@contextmanager
def laboratory(data: Path | None = None) -> Iterator[Client]:
    """The lab named by BATCHLAB_URL, or an embedded one in a folder of its own, gone afterwards."""
    if url := os.environ.get("BATCHLAB_URL"):
        with Client(url, token=os.environ.get("BATCHLAB_TOKEN")) as client:
            yield client
        return
    if data:
        os.environ["BATCHLAB_DATA"] = str(data)
    with (
        tempfile.TemporaryDirectory(prefix="batchlab-bench-") as folder,
        Embedded(Home(Path(folder)), port=0) as lab,
        Client(lab.url) as client,
    ):
        yield client


def cohorts(engine: Engine, cells: Sequence[Cell]) -> list[Sequence[Cell]]:
    """The cells as the engine takes them where they are all of one kind: at once, or each alone."""
    return [cells] if engine.name in IN_TURN else [(cell,) for cell in cells]


def spread(values: Sequence[float], style: str = ".2f") -> str:
    """Median, least and greatest; nothing where there is nothing."""
    if not values:
        return ""
    middle, least, greatest = (format(value, style) for value in (median(values), min(values), max(values)))
    return f"{middle} ({least} to {greatest})"


def write(name: str, text: str) -> None:
    """Keep a result, with the machine it came from, in `benchmarks/results/NAME.md`, and print it."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    whole = f"{text.rstrip()}\n\nMachine: {machine()}.\n"
    (RESULTS / f"{name}.md").write_text(whole)
    print(whole)
