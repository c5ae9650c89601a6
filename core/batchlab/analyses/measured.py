"""One measured number with what says how far to trust it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Measured:
    """A value, its standard error (None: not estimated), whether its search came to an end, and further facts."""

    value: float
    standard_error: float | None = None
    converged: bool = True
    facts: Mapping[str, Any] = field(default_factory=dict)


def error_of_mean(values: NDArray[np.float64], drawn: float = 0.0) -> float | None:
    """The standard error of the mean of values drawn without replacement, a share `drawn` of all (0: of many)."""
    if drawn >= 1.0:
        return 0.0
    if len(values) < 2:
        return None
    return float(np.std(values, ddof=1) * np.sqrt((1.0 - drawn) / len(values)))


def error_of_ratio(over: NDArray[np.float64], under: NDArray[np.float64], drawn: float = 0.0) -> float | None:
    """The standard error of mean(over) / mean(under) by linearisation (the delta method)."""
    ratio = float(over.mean() / under.mean())
    return error_of_mean((over - ratio * under) / float(under.mean()), drawn)
