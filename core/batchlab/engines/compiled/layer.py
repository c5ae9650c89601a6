"""Training of one linear layer: softmax and linear regression, with rows along the fast axis so that loops vectorise.

Inputs are (D, N), targets (K, N), float32; the weights are one vector: W (K, D) by rows, then b (K).
"""

from math import isfinite, log
from typing import Any

import numpy as np

from batchlab.engines.compiled.maths import after, compiled, doubles, exponential, floats, inner, longs, ticks
from batchlab.engines.compiled.sgd import step

ROWS = 256
"""Rows that are worked on at once: their outputs stay in the cache."""
FACTORS = 64
"""Softmax sums multiplied up before one logarithm is taken of them all: each lies in [1, K]."""


@inner
def _rows(w: Any, x: Any, t: Any, apart: int, n: int, net: Any, squares: Any, label: int) -> Any:
    """The loss of n rows, summed, and how many have their largest output at `label` (the first of equal ones counts; 0
    where it is negative). The outputs z (K, ROWS) become the loss's gradient. x (D, n), t (K, n): rows `apart`."""
    inputs, outputs, bias = net[0], net[1], net[2]
    z, top, sums = floats(net[3]), floats(net[4]), floats(net[5])
    for k in range(outputs):
        zk, wk = after(z, k * ROWS), after(w, k * inputs)
        start = w[outputs * inputs + k] if bias else np.float32(0.0)
        for i in range(n):
            zk[i] = start
        for d in range(inputs):
            xd, weight = after(x, d * apart), wk[d]
            for i in range(n):
                zk[i] += weight * xd[i]
    total: Any = 0.0
    right: Any = np.float32(0.0)
    if label >= 0:
        own = after(z, label * ROWS)
        for i in range(n):
            sums[i] = np.float32(1.0)
        for k in range(outputs):
            zk, later = after(z, k * ROWS), k >= label
            for i in range(n):
                sums[i] = sums[i] if own[i] > zk[i] or (later and own[i] == zk[i]) else np.float32(0.0)
        for i in range(n):
            right += sums[i]
    if squares is not None:
        for k in range(outputs):
            zk, tk = after(z, k * ROWS), after(t, k * apart)
            part = np.float32(0.0)
            for i in range(n):
                zk[i] -= tk[i]
                part += zk[i] * zk[i]
            total += part
        return total / 2, right
    for i in range(n):
        top[i] = z[i]
    for k in range(1, outputs):
        zk = after(z, k * ROWS)
        for i in range(n):
            top[i] = zk[i] if zk[i] > top[i] else top[i]
    for i in range(n):
        sums[i] = np.float32(0.0)
    for k in range(outputs):
        zk, tk = after(z, k * ROWS), after(t, k * apart)
        part = np.float32(0.0)
        for i in range(n):
            zk[i] -= top[i]
            part += tk[i] * zk[i]
        total -= part
        for i in range(n):
            zk[i] = exponential(zk[i])
            sums[i] += zk[i]
    for first in range(0, n, FACTORS):
        factors = 1.0
        last = first + FACTORS if first + FACTORS < n else n
        for i in range(first, last):
            factors *= np.float64(sums[i])
        total += log(factors)
    for i in range(n):
        sums[i] = np.float32(1.0) / sums[i]
    for k in range(outputs):
        zk, tk = after(z, k * ROWS), after(t, k * apart)
        for i in range(n):
            zk[i] = zk[i] * sums[i] - tk[i]
    return total, right


@inner
def _gradient(z: Any, x: Any, apart: int, n: int, inputs: int, outputs: int, g: Any) -> None:
    """Add to g the gradient of n rows, whose outputs have the gradient z."""
    for k in range(outputs):
        zk, gk = after(z, k * ROWS), after(g, k * inputs)
        for d in range(inputs):
            xd = after(x, d * apart)
            part = np.float32(0.0)
            for i in range(n):
                part += zk[i] * xd[i]
            gk[d] += part
        part = np.float32(0.0)
        for i in range(n):
            part += zk[i]
        g[outputs * inputs + k] += part


@compiled
def loop(
    w_at: int, v_at: int, net: Any, data: Any, tables: Any, orders_at: int, plan: Any, rates_at: int, momenta_at: int,
    rule: Any, squares: Any, watch: Any, losses_at: int, norms_at: int, found_at: int, spent_at: int,
) -> tuple[int, int]:  # fmt: skip
    """As `loop.Loop.advance` says; all that ends in `_at`, and what `Layer` calls room or rows, are addresses."""
    inputs, outputs, bias, z_at, _, _, g_at, epoch_x, epoch_t = net
    x_at, t_at, rows, _, _ = data
    batch_size, done, count, every, steps, tables_first = plan
    nesterov, decay, summed = rule
    column, bound, sign = watch
    w, v, z, g, x, t = floats(w_at), floats(v_at), floats(z_at), floats(g_at), floats(x_at), floats(t_at)
    rates, momenta, losses, orders = floats(rates_at), floats(momenta_at), floats(losses_at), longs(orders_at)
    norms, found, spent = doubles(norms_at), doubles(found_at), longs(spent_at)
    whole = orders_at == 0
    xs, ts = (x, t) if whole else (floats(epoch_x), floats(epoch_t))
    per_epoch = (rows + batch_size - 1) // batch_size
    weights, parameters, epoch, made, u = outputs * inputs, 2 if bias else 1, -1, 0, 0
    due, between = tables_first, ticks()
    began, no_label = between, every - every - 1  # a constant would have `_rows` compiled a second time
    while True:
        if due > 0:
            for part in range(due):
                # Class by class: a row's label is its class.
                xv, tv, held, starts_at, classes = tables[part]
                xe, te, starts, lost, right = floats(xv), floats(tv), longs(starts_at), 0.0, 0.0
                for c in range(classes if classes else 1):
                    end, label = (starts[c + 1], c) if classes else (held, -1)
                    for first in range(starts[c] if classes else 0, end, ROWS):
                        n = end - first if end - first < ROWS else ROWS
                        loss, good = _rows(w, after(xe, first), after(te, first), held, n, net, squares, label)
                        lost += loss
                        right += good
                found[4 * made + 2 * part], found[4 * made + 2 * part + 1] = lost / held, right / held
            made += 1
            began = ticks()
            spent[1] += began - between
            due = 0
            if column >= 0 and sign * found[4 * made - 4 + column] >= sign * bound:
                return u, made
        if u == count:
            spent[0] += ticks() - began
            return u, made
        now = done + u
        current = now // per_epoch - done // per_epoch
        if not whole and current != epoch:
            order = after(orders, current * rows)
            for d in range(inputs):
                for i in range(rows):
                    xs[d * rows + i] = x[d * rows + order[i]]
            for k in range(outputs):
                for i in range(rows):
                    ts[k * rows + i] = t[k * rows + order[i]]
            epoch = current
        begin = now % per_epoch * batch_size
        size = batch_size if batch_size < rows - begin else rows - begin
        for i in range(weights + outputs):
            g[i] = np.float32(0.0)
        total = 0.0
        for first in range(begin, begin + size, ROWS):
            n = begin + size - first if begin + size - first < ROWS else ROWS
            total += _rows(w, after(xs, first), after(ts, first), rows, n, net, squares, no_label)[0]
            _gradient(z, after(xs, first), rows, n, inputs, outputs, g)
        if not summed:
            total /= size
            for i in range(weights + outputs):
                g[i] /= np.float32(size)
        losses[u] = total
        for p in range(parameters):
            at, of = p * weights, outputs if p else weights
            into = after(norms, 3 * u * parameters + p)
            step(after(w, at), after(v, at), after(g, at), of, rates[u], momenta[u], nesterov, decay, into, parameters)
        bad = not isfinite(losses[u])
        u += 1
        if bad or (now + 1) % every == 0 or now + 1 == steps:
            between = ticks()
            spent[0] += between - began
            if bad:
                return u, made
            due = 2
