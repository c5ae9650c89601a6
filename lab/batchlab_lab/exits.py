"""Exit statuses of what waits for an experiment or speaks to a server. Scripts rely on them."""

SUCCEEDED, FAILED, CANCELLED, REFUSED, NOT_REACHED = range(5)
INTERRUPTED = 130
"""Ctrl-C, as shells have it."""

_OF_STATUS = {"succeeded": SUCCEEDED, "failed": FAILED, "cancelled": CANCELLED}


def of(status: str) -> int:
    """The exit status for a finished experiment's status."""
    return _OF_STATUS[status]
