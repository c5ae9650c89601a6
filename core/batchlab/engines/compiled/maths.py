"""What the compiled loops are made of: an exponential that vectorises, sums of squares, and a clock.

Float32 throughout. `FAST` lets the compiler reorder sums and fuse products, and nothing that would hide a value that is
not finite.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

FAST = {"reassoc", "contract", "nsz"}
LOWEST = np.float32(-87.0)
"""Below it, the exponential is taken as 0 (it is under 1.7e-38)."""
LOG2E = np.float32(1.44269504)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
"""ln 2 in two parts, so that the reduced argument keeps its last bits (Cody & Waite 1980)."""


def _cacheable() -> bool:
    """Whether machine code can be kept for the next process: in this folder, or in the user's cache."""
    try:
        numba.njit(cache=True)(_cacheable)
    except RuntimeError:
        return False
    return True


CACHE = _cacheable()
compiled = numba.njit(cache=CACHE, fastmath=FAST, error_model="numpy", nogil=True)
"""A loop that Python calls."""
within = numba.njit(fastmath=FAST, error_model="numpy", nogil=True, inline="always")
"""A part that stands in one place alone: it is put there before anything is compiled."""

F = TypeVar("F", bound=Callable[..., Any])


def inner(function: F, flags: frozenset[str] = frozenset(FAST)) -> F:
    """A part of such loops: it gets neither machine code of its own nor a way in from Python, which take their time."""
    bare: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    made: F = numba.njit(fastmath=set(flags), error_model="numpy", nogil=True, **bare)(function)
    return made


@intrinsic
def _ticks(context: Any) -> Any:
    def read(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        counter = builder.module.declare_intrinsic("llvm.readcyclecounter", (), ir.FunctionType(ir.IntType(64), ()))
        return builder.call(counter, ())

    return types.int64(), read


ticks: Any = _ticks
"""The processor's cycle counter: compared with another reading alone, and turned into seconds by a clock."""


@partial(inner, flags=frozenset({"contract"}))
def exponential(x: Any) -> Any:
    """exp(x) for x <= 0 with a relative error below 2.5e-7; NaN stays NaN. A polynomial: loops over it vectorise.

    With n = round(x / ln 2) and r = x - n ln 2: `2**n * (1 + r + r**2 p(r))`, p from Cephes' expf.
    """
    kept = x if x > LOWEST else LOWEST
    n = np.floor(kept * LOG2E + np.float32(0.5))
    r = kept - n * LN2_HIGH - n * LN2_LOW
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    y = (p * r * r + r + np.float32(1.0)) * power
    y = y if x >= LOWEST else np.float32(0.0)
    return y if x == x else x  # noqa: PLR0124
