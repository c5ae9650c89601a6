"""What the server answers, as pydantic models. The server answers with these very classes; a client reads with them.

Ids are text, times are UTC, and a number that is not finite arrives as None. Fields may be added in later versions:
unknown ones are ignored when reading.
"""

from batchlab_client.models.analyses import AnalysedCell, Analysis, AnalysisCounts, AnalysisList
from batchlab_client.models.base import CellStatus, Links, Model, Number, Status
from batchlab_client.models.catalogue import (
    Claim,
    Dataset,
    DatasetList,
    Equivalence,
    PlotInfo,
    PlotList,
    SchedulePreview,
    Study,
    StudyList,
)
from batchlab_client.models.checkpoints import Checkpoint, CheckpointList, CheckpointsDeleted
from batchlab_client.models.events import ByeEvent, CurvePoints, CurvesEvent, RewindEvent, StatusEvent
from batchlab_client.models.experiments import (
    Cell,
    CellCounts,
    CellPage,
    Experiment,
    ExperimentPage,
    ExperimentSummary,
    PlanReport,
    Progress,
    Submitted,
)
from batchlab_client.models.machines import CurrentSlice, Health, Part, Worker, WorkerList
from batchlab_client.models.problems import Fault, Problem
from batchlab_client.models.results import Curves, CurveSeries, Digest, Estimate, Group, Results
from batchlab_client.models.tables import Table, TableCell, TableLine, Tables
from batchlab_client.models.verdicts import Power, PowerPair, Verdict, Verdicts

__all__ = [
    "AnalysedCell",
    "Analysis",
    "AnalysisCounts",
    "AnalysisList",
    "ByeEvent",
    "Cell",
    "CellCounts",
    "CellPage",
    "CellStatus",
    "Checkpoint",
    "CheckpointList",
    "CheckpointsDeleted",
    "Claim",
    "CurrentSlice",
    "CurvePoints",
    "CurveSeries",
    "Curves",
    "CurvesEvent",
    "Dataset",
    "DatasetList",
    "Digest",
    "Equivalence",
    "Estimate",
    "Experiment",
    "ExperimentPage",
    "ExperimentSummary",
    "Fault",
    "Group",
    "Health",
    "Links",
    "Model",
    "Number",
    "Part",
    "PlanReport",
    "PlotInfo",
    "PlotList",
    "Power",
    "PowerPair",
    "Problem",
    "Progress",
    "Results",
    "RewindEvent",
    "SchedulePreview",
    "Status",
    "StatusEvent",
    "Study",
    "StudyList",
    "Submitted",
    "Table",
    "TableCell",
    "TableLine",
    "Tables",
    "Verdict",
    "Verdicts",
    "Worker",
    "WorkerList",
]
