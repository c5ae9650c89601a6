"""Schedules: the factor by which the rate is multiplied at each update. The union of them is in `composed`."""

from batchlab.schedules.base import BaseSchedule, Clock, Floats, Unit
from batchlab.schedules.composed import Schedule, momentum_factors
from batchlab.schedules.decays import Constant

__all__ = ["BaseSchedule", "Clock", "Constant", "Floats", "Schedule", "Unit", "momentum_factors"]
