"""Data that a user gives, as npz or csv: hostile until proven plain. Nothing is unpickled, and nothing is inflated or
allocated before its size has been looked at."""

from batchlab.uploads.base import Limits, Task, Upload
from batchlab.uploads.reading import read

__all__ = ["Limits", "Task", "Upload", "read"]
