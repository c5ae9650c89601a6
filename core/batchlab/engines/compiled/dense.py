"""Training of fully connected networks: products by BLAS, the rest in one pass each.

Inputs are (N, D) by rows. All parameters stand in one vector, layer by layer: W (outputs, inputs) by rows, then b.
`sizes` holds the units of each layer from the inputs to the outputs.
"""

from math import isfinite, log, tanh
from typing import Any

import numpy as np

from batchlab.engines.compiled.maths import after, compiled, doubles, exponential, floats, inner, longs, product, ticks
from batchlab.engines.compiled.sgd import step

ROWS = 2048
"""Rows that are evaluated at once."""
LEAST_ROWS, MOST_ROWS = 4, 40
"""Of a batch whose products are made in pieces; larger ones repay packing."""
TANH, SIGMOID = 1, 2
"""Activations beside ReLU, which is None."""


@inner
def _forward(w: Any, x: Any, n: int, net: Any, smooth: Any) -> None:
    """The outputs of every layer for the rows x (n, D): layer l (from 1) stands in acts from places[l] on. Few rows go
    in pieces that BLAS takes without packing. `smooth`: the activation, None for ReLU."""
    sizes, places, acts, offset, below = longs(net[1]), longs(net[2]), floats(net[3]), 0, x
    for layer in range(1, net[0] + 1):
        inputs, outputs = sizes[layer - 1], sizes[layer]
        weights, bias = after(w, offset), after(w, offset + outputs * inputs)
        a = after(acts, places[layer])
        some = net[7] // (outputs * inputs)
        some = some if LEAST_ROWS <= some < n <= MOST_ROWS else n
        for first in range(0, n, some):
            rows = some if some < n - first else n - first
            product(net[8], True, False, outputs, rows, inputs, weights, inputs,
                    after(below, first * inputs), inputs, after(a, first * outputs), outputs)  # fmt: skip
        hidden = layer < net[0]
        for i in range(n):
            row = after(a, i * outputs)
            if smooth is None:
                floor = np.float32(0.0) if hidden else np.float32(-np.inf)
                for k in range(outputs):
                    z = row[k] + bias[k]
                    row[k] = floor if z < floor else z
            else:
                for k in range(outputs):
                    row[k] += bias[k]
        if smooth is not None and hidden:
            if smooth == TANH:
                for i in range(n * outputs):
                    a[i] = np.float32(tanh(a[i]))
            else:
                for i in range(n * outputs):
                    e = exponential(-abs(a[i]))
                    a[i] = (e if a[i] < np.float32(0.0) else np.float32(1.0)) / (np.float32(1.0) + e)
        below = a
        offset += outputs * (inputs + 1)


@inner
def _loss(z: Any, t: Any, labels: Any, n: int, outputs: int, classes: int, squares: Any) -> Any:
    """The loss of n rows, summed, and how many of them have their largest output at their label (the first of equal
    ones counts). z (n, K) becomes the loss's gradient; t (n, K): what half squared errors compare with."""
    total: Any = 0.0
    right = 0
    for i in range(n):
        row = after(z, i * outputs)
        if classes:
            label, good = labels[i], True
            own = row[label]
            for k in range(outputs):
                good &= own > row[k] or (k >= label and own == row[k])
            right += good
        if squares is not None:
            target, part = after(t, i * outputs), np.float32(0.0)
            for k in range(outputs):
                row[k] -= target[k]
                part += row[k] * row[k]
            total += part / 2
        else:
            label, top, whole = labels[i], row[0], np.float32(0.0)
            for k in range(1, outputs):
                top = row[k] if row[k] > top else top
            own = row[label] - top
            for k in range(outputs):
                row[k] = exponential(row[k] - top)
                whole += row[k]
            total += log(np.float64(whole)) - own
            for k in range(outputs):
                row[k] /= whole
            row[label] -= np.float32(1.0)
    return total, right


@inner
def _backward(w: Any, g: Any, x: Any, n: int, net: Any, smooth: Any) -> None:
    """The gradient of all parameters, from that of the outputs, which stands where the outputs stood."""
    sizes, places, acts, below, wide = longs(net[1]), longs(net[2]), floats(net[3]), floats(net[4]), doubles(net[6])
    end = 0
    for layer in range(1, net[0] + 1):
        end += sizes[layer] * (sizes[layer - 1] + 1)
    for layer in range(net[0], 0, -1):
        inputs, outputs = sizes[layer - 1], sizes[layer]
        offset = end - outputs * (inputs + 1)
        delta, bias = after(acts, places[layer]), after(g, offset + outputs * inputs)
        for k in range(outputs):
            wide[k] = 0.0
        for i in range(n):
            row = after(delta, i * outputs)
            for k in range(outputs):
                wide[k] += row[k]
        for k in range(outputs):
            bias[k] = np.float32(wide[k])
        a = x if layer == 1 else after(acts, places[layer - 1])
        some = net[7] // (n * inputs)
        some = some if LEAST_ROWS <= some < outputs and n <= MOST_ROWS else outputs
        for first in range(0, outputs, some):
            columns = some if some < outputs - first else outputs - first
            product(net[8], False, True, inputs, columns, n, a, inputs, after(delta, first), outputs,
                    after(g, offset + first * inputs), inputs)  # fmt: skip
        if layer > 1:
            # The activations below are needed twice: their slope is taken before the gradient replaces them.
            product(net[8], False, False, inputs, n, outputs, after(w, offset), inputs, delta, outputs, below, inputs)
            if smooth is None:
                for i in range(n * inputs):
                    a[i] = below[i] if a[i] > np.float32(0.0) else np.float32(0.0)
            elif smooth == TANH:
                for i in range(n * inputs):
                    a[i] = below[i] * (np.float32(1.0) - a[i] * a[i])
            else:
                for i in range(n * inputs):
                    a[i] = below[i] * (a[i] * (np.float32(1.0) - a[i]))
        end = offset


@compiled
def loop(
    w_at: int, v_at: int, net: Any, data: Any, tables: Any, orders_at: int, plan: Any, rates_at: int, momenta_at: int,
    rule: Any, squares: Any, watch: Any, losses_at: int, norms_at: int, found_at: int, spent_at: int, smooth: Any,
) -> tuple[int, int]:  # fmt: skip
    """As `loop.Loop.advance` says; all that ends in `_at`, and what `Dense` calls room or rows, are addresses."""
    layers, sizes_at, places_at, acts_at, _, g_at, _, _, _, xs_at, ts_at, ls_at = net
    x_at, t_at, labels_at, rows, classes = data
    batch_size, done, count, every, steps, tables_first = plan
    nesterov, decay, summed = rule
    column, bound, sign = watch
    w, v, g, sizes, places, acts = (
        floats(w_at), floats(v_at), floats(g_at), longs(sizes_at), longs(places_at), floats(acts_at)
    )  # fmt: skip
    rates, momenta, losses, orders = floats(rates_at), floats(momenta_at), floats(losses_at), longs(orders_at)
    norms, found, spent = doubles(norms_at), doubles(found_at), longs(spent_at)
    x, t, labels, xs, ts, ls = floats(x_at), floats(t_at), longs(labels_at), floats(xs_at), floats(ts_at), longs(ls_at)
    whole, inputs, outputs, z = orders_at == 0, sizes[0], sizes[layers], after(acts, places[layers])
    if whole:
        xs, ts, ls = x, t, labels
    per_epoch = (rows + batch_size - 1) // batch_size
    made, u, due, between = 0, 0, tables_first, ticks()
    began, no_classes = between, every - every  # a constant would have `_loss` compiled a second time
    while True:
        if due > 0:
            for part in range(due):
                xv, tv, labels_of, held, _ = tables[part]
                xe, te, le, lost, right = floats(xv), floats(tv), longs(labels_of), 0.0, 0
                for first in range(0, held, ROWS):
                    n = held - first if held - first < ROWS else ROWS
                    _forward(w, after(xe, first * inputs), n, net, smooth)
                    loss, good = _loss(z, after(te, first * outputs), after(le, first), n, outputs, classes, squares)
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
        begin = now % per_epoch * batch_size
        n = batch_size if batch_size < rows - begin else rows - begin
        if not whole:
            order = after(orders, (now // per_epoch - done // per_epoch) * rows + begin)
            for i in range(n):
                source, into = after(x, order[i] * inputs), after(xs, i * inputs)
                for d in range(inputs):
                    into[d] = source[d]
                if squares is not None:
                    for k in range(outputs):
                        ts[i * outputs + k] = t[order[i] * outputs + k]
                if classes:
                    ls[i] = labels[order[i]]
        _forward(w, xs, n, net, smooth)
        total, _ = _loss(z, ts, ls, n, outputs, no_classes, squares)
        if not summed:
            total /= n
            for i in range(n * outputs):
                z[i] /= np.float32(n)
        losses[u] = total
        _backward(w, g, xs, n, net, smooth)
        at = 0
        for p in range(2 * layers):
            of = sizes[p // 2 + 1] * (sizes[p // 2] if p % 2 == 0 else 1)
            into = after(norms, 6 * layers * u + p)
            step(after(w, at), after(v, at), after(g, at), of, rates[u], momenta[u], nesterov, decay, into, 2 * layers)
            at += of
        bad = not isfinite(losses[u])
        u += 1
        if bad or (now + 1) % every == 0 or now + 1 == steps:
            between = ticks()
            spent[0] += between - began
            if bad:
                return u, made
            due = 2
