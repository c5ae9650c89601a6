"""Training of one linear layer: softmax and linear regression, with rows along the fast axis so that loops vectorise.

Inputs are (D, N), targets (K, N), float32; the weights are one vector: W (K, D) by rows, then b (K).
"""

from math import isfinite, log
from typing import Any

import numpy as np

from batchlab.engines.compiled.maths import compiled, exponential, inner, ticks, within
from batchlab.engines.compiled.pacing import first_bad, reached, segment
from batchlab.engines.compiled.sgd import keep, step

ROWS = 256
"""Rows that are worked on at once: their outputs stay in the cache."""
FACTORS = 64
"""Softmax sums multiplied up before one logarithm is taken of them all: each lies in [1, K]."""


@inner
def _outputs(w: Any, x: Any, first: int, n: int, bias: bool, z: Any) -> None:
    """z[k, i] = W[k] . x[:, first + i] + b[k] for n rows."""
    inputs, outputs = x.shape[0], z.shape[0]
    for k in range(outputs):
        zk = z[k, :n]
        start = w[outputs * inputs + k] if bias else np.float32(0.0)
        for i in range(n):
            zk[i] = start
        for d in range(inputs):
            xd = x[d, first : first + n]
            weight = w[k * inputs + d]
            for i in range(n):
                zk[i] += weight * xd[i]


@within
def _largest(z: Any, n: int, top: Any) -> None:
    """The largest output of each row."""
    for i in range(n):
        top[i] = z[0, i]
    for k in range(1, z.shape[0]):
        zk = z[k]
        for i in range(n):
            top[i] = zk[i] if zk[i] > top[i] else top[i]


@within
def _log_product(sums: Any, n: int) -> Any:
    """Sum of the logarithms of n numbers in [1, K]: of their products, many at a time."""
    total: Any = 0.0
    for first in range(0, n, FACTORS):
        factors = sums[first : min(first + FACTORS, n)]
        product = 1.0
        for i in range(factors.size):
            product *= np.float64(factors[i])
        total += log(product)
    return total


@inner
def _cross_entropy(z: Any, t: Any, first: int, n: int, top: Any, sums: Any) -> Any:
    """The loss of n rows, summed; z becomes its gradient, softmax minus target."""
    outputs = z.shape[0]
    _largest(z, n, top)
    for i in range(n):
        sums[i] = np.float32(0.0)
    right: Any = 0.0
    for k in range(outputs):
        zk, tk = z[k, :n], t[k, first : first + n]
        part = np.float32(0.0)
        for i in range(n):
            zk[i] -= top[i]
            part += tk[i] * zk[i]
        right += part
        for i in range(n):
            zk[i] = exponential(zk[i])
            sums[i] += zk[i]
    total = _log_product(sums, n) - right
    for i in range(n):
        sums[i] = np.float32(1.0) / sums[i]
    for k in range(outputs):
        zk, tk = z[k, :n], t[k, first : first + n]
        for i in range(n):
            zk[i] = zk[i] * sums[i] - tk[i]
    return total


@inner
def _half_squares(z: Any, t: Any, first: int, n: int) -> Any:
    """Half the squared error of n rows, summed; z becomes its gradient."""
    total: Any = 0.0
    for k in range(z.shape[0]):
        zk, tk = z[k, :n], t[k, first : first + n]
        part = np.float32(0.0)
        for i in range(n):
            zk[i] -= tk[i]
            part += zk[i] * zk[i]
        total += part
    return total / 2


@within
def _gradient(z: Any, x: Any, first: int, n: int, g: Any) -> None:
    """Add to g the gradient of n rows, whose outputs have the gradient z."""
    inputs, outputs = x.shape[0], z.shape[0]
    for k in range(outputs):
        zk = z[k, :n]
        for d in range(inputs):
            xd = x[d, first : first + n]
            part = np.float32(0.0)
            for i in range(n):
                part += zk[i] * xd[i]
            g[k * inputs + d] += part
        part = np.float32(0.0)
        for i in range(n):
            part += zk[i]
        g[outputs * inputs + k] += part


@within
def _gather(x: Any, t: Any, order: Any, xs: Any, ts: Any) -> None:
    """The rows of an epoch in their order."""
    for d in range(x.shape[0]):
        for i in range(order.size):
            xs[d, i] = x[d, order[i]]
    for k in range(t.shape[0]):
        for i in range(order.size):
            ts[k, i] = t[k, order[i]]


@within
def _correct(z: Any, n: int, label: int, good: Any) -> int:
    """How many of n rows have their largest output at `label` (the first of equal ones counts)."""
    own = z[label, :n]
    for i in range(n):
        good[i] = np.float32(1.0)
    for k in range(z.shape[0]):
        zk = z[k, :n]
        if k < label:
            for i in range(n):
                good[i] = good[i] if own[i] > zk[i] else np.float32(0.0)
        elif k > label:
            for i in range(n):
                good[i] = good[i] if own[i] >= zk[i] else np.float32(0.0)
    count = np.float32(0.0)
    for i in range(n):
        count += good[i]
    return int(count)


@compiled
def evaluate(w: Any, net: Any, data: Any, entropy: bool) -> tuple[float, float]:
    """Mean loss and the share of rows classified right, of a `data` that `Layer.table` made."""
    (bias, z, top, sums, _, _, _, _), (x, t, starts) = net, data
    rows = t.shape[1]
    total, right = 0.0, 0
    for c in range(max(1, starts.size - 1)):
        end = starts[c + 1] if starts.size else rows
        for first in range(starts[c] if starts.size else 0, end, ROWS):
            n = min(ROWS, end - first)
            _outputs(w, x, first, n, bias, z)
            if starts.size:
                right += _correct(z, n, c, top)
            total += _cross_entropy(z, t, first, n, top, sums) if entropy else _half_squares(z, t, first, n)
    return total / rows, right / rows


@within
def train(
    w: Any, v: Any, net: Any, data: Any, orders: Any, batch_size: int, done: int, rates: Any, momenta: Any, rule: Any,
    losses: Any, norms: Any,
) -> None:  # fmt: skip
    """Take the updates that follow `done` finished ones, one for each of `rates` and `momenta`.

    `orders` (epochs, N): the rows of the epochs concerned, the first that of update `done + 1`; (epochs, 0) where the
    batch is the whole. Fills `losses` (n,) and `norms` (n, 3, parameters): of gradient, weights and move. Stops after
    the first loss that is not finite.
    """
    (bias, z, top, sums, g, moved, xs, ts), (x, t) = net, data
    nesterov, decay, entropy, summed = rule
    rows, inputs, outputs = x.shape[1], x.shape[0], t.shape[0]
    per_epoch = (rows + batch_size - 1) // batch_size
    whole = orders.shape[1] == 0
    weights, epoch = outputs * inputs, -1
    if whole:
        xs, ts = x, t
    for u in range(rates.size):
        current = (done + u) // per_epoch - done // per_epoch
        if not whole and current != epoch:
            _gather(x, t, orders[current], xs, ts)
            epoch = current
        begin = (done + u) % per_epoch * batch_size
        size = min(batch_size, rows - begin)
        for i in range(g.size):
            g[i] = np.float32(0.0)
        total = 0.0
        for first in range(begin, begin + size, ROWS):
            n = min(ROWS, begin + size - first)
            _outputs(w, xs, first, n, bias, z)
            total += _cross_entropy(z, ts, first, n, top, sums) if entropy else _half_squares(z, ts, first, n)
            _gradient(z, xs, first, n, g)
        if not summed:
            total /= size
            for i in range(g.size):
                g[i] /= np.float32(size)
        losses[u] = total
        step(w[:weights], v[:weights], g[:weights], rates[u], momenta[u], nesterov, decay, moved)
        keep(moved, norms[u], 0)
        if bias:
            step(w[weights:], v[weights:], g[weights:], rates[u], momenta[u], nesterov, decay, moved)
            keep(moved, norms[u], 1)
        if not isfinite(losses[u]):
            break


@compiled
def advance(
    w: Any, v: Any, net: Any, data: Any, tables: Any, orders: Any, batch_size: int, done: int,
    rates: Any, momenta: Any, rule: Any, every: int, steps: int, watch: Any,
    losses: Any, norms: Any, found: Any, spent: Any,
) -> tuple[int, int]:  # fmt: skip
    """`train`, with the evaluations that fall between: after each `every`-th update, and after the last of `steps`.

    Fills `found` (evaluations, 4: loss and share right of training rows, then of validation rows) and adds to `spent`
    the ticks of training and of evaluation. Stops after a loss that is not finite and at the target that `watch`
    tells (see `pacing.reached`). Returns the numbers of updates and of evaluations.
    """
    taken, made = 0, 0
    per_epoch = (data[0].shape[1] + batch_size - 1) // batch_size
    while taken < rates.size:
        stop = segment(done, taken, every, rates.size)
        epoch = (done + taken) // per_epoch - done // per_epoch
        began = ticks()
        train(
            w, v, net, data, orders[epoch:], batch_size, done + taken, rates[taken:stop], momenta[taken:stop], rule,
            losses[taken:stop], norms[taken:stop],
        )  # fmt: skip
        between = ticks()
        spent[0] += between - began
        last = first_bad(losses, taken, stop)
        if last < stop:
            return last + 1, made
        taken = stop
        if (done + taken) % every == 0 or done + taken == steps:
            for part in range(2):
                loss, share = evaluate(w, net, tables[part], rule[2])
                found[made, 2 * part], found[made, 2 * part + 1] = loss, share
            made += 1
            spent[1] += ticks() - between
            if reached(found[made - 1], watch):
                return taken, made
    return taken, made
