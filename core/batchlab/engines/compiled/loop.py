"""A compiled loop as Python calls it: with arrays, of which it is told the addresses."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batchlab.engines.base import Float32s


class Loop:
    """A compiled loop over updates, called with arrays."""

    _loop: Callable[..., tuple[int, int]]
    net: tuple[Any, ...]
    """What the loop knows of the network, and room for what it works on."""
    more: tuple[Any, ...] = ()
    """What this loop is told beside."""

    def advance(
        self, w: Float32s, v: Float32s, data: tuple[Any, ...], tables: Sequence[tuple[Any, ...]],
        orders: NDArray[np.int64], batch_size: int, done: int, rates: Float32s, momenta: Float32s,
        rule: tuple[Any, ...], every: int, steps: int, watch: tuple[int, float, int],
        losses: Float32s, norms: NDArray[np.float64], found: NDArray[np.float64], spent: NDArray[np.int64],
        first: int = 0,
    ) -> tuple[int, int]:  # fmt: skip
        """Take the updates that follow `done` finished ones, one for each of `rates` and `momenta`, with the
        evaluations that fall between: after each `every`-th update, and after the last of `steps`; so many of the
        `first` tables are evaluated before all updates.

        `orders` (epochs, N): the rows of the epochs concerned, the first that of update `done + 1`; (epochs, 0) where
        the batch is the whole. `rule`: Nesterov, weight decay, cross-entropy, sums in place of means. `watch`: column
        of `found`, bound and sign (1: at least, -1: at most) of the target that ends it; a column below 0 never does.

        Fills `losses` (n,), `norms` (n, 3, parameters: of gradient, weights and move) and `found` (evaluations, 4: loss
        and share right of training rows, then of validation rows) and adds to `spent` the ticks of training and of
        evaluation. Stops after a loss that is not finite and at the target. Returns the numbers of updates and of
        evaluations.
        """
        nesterov, decay, entropy, summed = rule
        plan = (batch_size, done, len(rates), every, steps, first)
        return self._loop(
            address(w), address(v), addresses(self.net), addresses(data), tuple(map(addresses, tables)),
            address(orders) if orders.size else 0, plan, address(rates), address(momenta), (nesterov, decay, summed),
            None if entropy else 1, watch, address(losses), address(norms), address(found), address(spent),
            *self.more,
        )  # fmt: skip

    def evaluate(self, w: Float32s, table: tuple[Any, ...], entropy: bool) -> tuple[float, float]:
        """Mean loss and the share of rows classified right, of what `table` made."""
        none, found, orders = empty(0), np.zeros(4), np.zeros((1, 0), np.int64)
        rule, watch = (False, np.float32(0.0), entropy, False), (-1, 0.0, 1)
        room = none, np.zeros(0), found, np.zeros(2, np.int64)
        self.advance(w, w, table, (table, table), orders, 1, 0, none, none, rule, 1, 1, watch, *room, first=1)
        return float(found[0]), float(found[1])


def address(a: NDArray[Any]) -> int:
    """Where the numbers of a contiguous array begin; the array must live as long as the address is used."""
    return int(a.ctypes.data)


def addresses(items: Sequence[Any]) -> tuple[int, ...]:
    """Arrays by their addresses, beside numbers."""
    return tuple(address(item) if isinstance(item, np.ndarray) else int(item) for item in items)


def empty(*shape: int) -> Float32s:
    """Room for so many numbers."""
    return np.empty(shape, np.float32)
