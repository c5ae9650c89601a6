"""What the compiled loops are made of: memory by its address, BLAS' product, an exponential that vectorises, a clock.

The loops are given addresses and not arrays: that is a third of the code, compiled in a third of the time. Float32
throughout. `FAST` lets the compiler reorder sums and fuse products, and nothing that would hide a value that is not
finite.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import get_cython_function_address, intrinsic

# What numba would import at the first call of a loop: it belongs to this import, and to nobody's training.
cpu_target.typing_context.refresh()
cpu_target.target_context.refresh()

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
F = TypeVar("F", bound=Callable[..., Any])
OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "no_cfunc_wrapper": True}
compiled: Callable[[F], F] = numba.njit(cache=CACHE, fastmath=FAST, **OPTIONS)
"""A loop that Python calls."""


def inner(function: F, flags: frozenset[str] = frozenset(FAST)) -> F:
    """A part of such loops: it gets no way in from Python, which takes its time. It is compiled once for each kind of
    arguments, of which a constant is one."""
    bare: dict[str, Any] = {"no_cpython_wrapper": True, **OPTIONS}
    made: F = numba.njit(fastmath=set(flags), **bare)(function)
    return made


_pointer: Any = types.CPointer


def _memory(kind: Any) -> Any:
    @intrinsic
    def at(context: Any, address: Any) -> Any:
        def cast(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return _pointer(kind)(types.int64), cast

    return at


floats, doubles, longs = _memory(types.float32), _memory(types.float64), _memory(types.int64)
"""The numbers that begin at an address."""


@intrinsic
def _after(context: Any, place: Any, n: Any) -> Any:
    def move(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.gep(arguments[0], [arguments[1]])

    return place(place, types.int64), move


after: Any = _after
"""The numbers that begin n numbers further on."""


@intrinsic
def _product(
    context: Any, sgemm: Any, turned_a: Any, turned_b: Any, m: Any, n: Any, k: Any, a: Any, lda: Any, b: Any, ldb: Any,
    c: Any, ldc: Any,
) -> Any:  # fmt: skip
    def call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at, turned_a, turned_b, m, n, k, a, lda, b, ldb, c, ldc = arguments
        byte, whole, number = ir.IntType(8), ir.IntType(32), ir.FloatType()

        place_for: Any = cgutils.alloca_once_value

        def kept(value: Any) -> Any:
            return place_for(builder, value)

        def side(turned: Any) -> Any:
            return kept(builder.select(turned, byte(ord("T")), byte(ord("N"))))

        sizes = [kept(builder.trunc(size, whole)) for size in (m, n, k, lda, ldb, ldc)]
        given = [side(turned_a), side(turned_b), *sizes[:3], kept(number(1.0)), a, sizes[3], b, sizes[4],
                 kept(number(0.0)), c, sizes[5]]  # fmt: skip
        function = ir.FunctionType(ir.VoidType(), [value.type for value in given])
        builder.call(builder.inttoptr(at, function.as_pointer()), given)
        return context.get_dummy_value()

    size, place, flag = types.int64, _pointer(types.float32), types.boolean
    return types.void(size, flag, flag, *[size] * 3, *[place, size] * 3), call


product: Any = _product
"""`product(sgemm, turned_a, turned_b, m, n, k, a, lda, b, ldb, c, ldc)`: c = a b by the BLAS function at that address,
matrices by columns, a and b transposed or not."""
SGEMM = get_cython_function_address("scipy.linalg.cython_blas", "sgemm")


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
