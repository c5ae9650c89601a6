"""Studies: presets that each answer a question of the source texts, with their plots and claims.

A study is an entry of the tuple at the bottom of its module; this file joins the modules.
"""

from batchlab.claims import Claim
from batchlab.studies import (
    data,
    descents,
    growth,
    methods,
    minima,
    networks,
    rules,
    schedules,
    statistics,
    surfaces,
    textbook,
    tuning,
)
from batchlab.studies.base import Document, Size, Study

__all__ = ["STUDIES", "Claim", "Document", "Size", "Study"]

_ALL = (
    *textbook.STUDIES,
    *schedules.STUDIES,
    *growth.STUDIES,
    *rules.STUDIES,
    *data.STUDIES,
    *descents.STUDIES,
    *surfaces.STUDIES,
    *networks.STUDIES,
    *methods.STUDIES,
    *minima.STUDIES,
    *tuning.STUDIES,
    *statistics.STUDIES,
)
STUDIES: dict[str, Study] = {study.name: study for study in _ALL}
