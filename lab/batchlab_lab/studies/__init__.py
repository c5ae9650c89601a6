"""Running many studies in a row, and what is kept of each.

run       posts, follows and saves studies by name
Outcome   how one of them ended
"""

from batchlab_lab.studies.outcome import Outcome
from batchlab_lab.studies.run import run

__all__ = ["Outcome", "run"]
