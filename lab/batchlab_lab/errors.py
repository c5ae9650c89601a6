"""Errors of the lab, each with what to do about it.

LabError
├── ServerError       a database or broker process that cannot be found, started or kept
├── HomeBusyError     another lab uses the data directory
└── PortTakenError    something else listens where the lab should
"""


class LabError(Exception):
    """Something about this machine keeps the lab from running; the message says what to do."""


class ServerError(LabError):
    """PostgreSQL or Redis cannot be found, started or kept."""


class HomeBusyError(LabError):
    """Another lab uses the data directory."""


class PortTakenError(LabError):
    """Something else listens on the port."""
