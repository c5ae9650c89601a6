"""Named points at which a test can have this process die as `kill -9` would: `BATCHLAB_CRASH_AT=after-block:3`.

The number counts the passes through the point, from 1. Unset, as ever outside tests, a point does nothing.
"""

import os
from collections import Counter
from typing import Literal

Point = Literal[
    "claim",
    "before-block",
    "after-block",
    "before-checkpoint",
    "after-checkpoint",
    "before-hand-on",
    "after-hand-on",
]
AnalysisPoint = Literal[
    "claim-analysis", "before-state", "after-state", "before-analysis-hand-on", "before-finding", "after-finding"
]

_passes: Counter[str] = Counter()


def point(name: Point | AnalysisPoint) -> None:
    """Die here, without a word, if this pass through `name` is the one asked for."""
    wanted = os.environ.get("BATCHLAB_CRASH_AT")
    if wanted is None:
        return
    _passes[name] += 1
    if wanted == f"{name}:{_passes[name]}":
        os._exit(137)
