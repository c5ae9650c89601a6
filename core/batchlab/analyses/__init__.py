"""Analyses: what is computed from trained cells. Importing this loads no torch; an analysis does when it works.

`base.py` says how an analysis is run and taken up again, `problem.py` is a trained cell as a function of its weights.
"""

from typing import Any

from batchlab.analyses.band import ElasticBand
from batchlab.analyses.connection import BarrierMatrix, ConnectingPath, Interpolation
from batchlab.analyses.critical_batch import CriticalBatch
from batchlab.analyses.curvature import Eigenvalues, SpectralDensity, Trace
from batchlab.analyses.gradient_noise import GradientNoise
from batchlab.analyses.landscape import Landscape, Trajectory
from batchlab.analyses.plane import Plane
from batchlab.analyses.sharpness import Sharpness
from batchlab.kinds import union

Analysis: Any = union(
    "analyses",
    Sharpness,
    Eigenvalues,
    Trace,
    SpectralDensity,
    Landscape,
    Trajectory,
    Plane,
    Interpolation,
    ConnectingPath,
    ElasticBand,
    BarrierMatrix,
    GradientNoise,
    CriticalBatch,
)
