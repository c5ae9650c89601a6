"""The pictures of the studies' gallery, from the plots that `make studies` has drawn of measured data.

    make studies && python -m benchmarks.gallery [figures/studies]

Studies without a picture there keep the one that they have, and are named.
"""

import re
import sys
from pathlib import Path

from batchlab.studies import STUDIES
from batchlab_api.routes.studies import PICTURES

GROUND = re.compile(rb'<rect width="\d+" height="\d+" fill="#\w{6}"/>')
"""The picture's own background: the page's is to be seen instead."""


def take(folder: Path) -> list[str]:
    """Copy the pictures from a folder of studies; what is not there."""
    missed = []
    PICTURES.mkdir(exist_ok=True)
    for name in STUDIES:
        for theme in ("light", "dark"):
            source = folder / name / f"picture.{theme}.svg"
            if not source.exists():
                missed.append(f"{source} is not there")
            else:
                (PICTURES / f"{name}.{theme}.svg").write_bytes(GROUND.sub(b"", source.read_bytes(), count=1))
    return missed


if __name__ == "__main__":
    for line in take(Path(*sys.argv[1:2] or ["figures/studies"])):
        print(line)
