"""Training of fully connected networks: products by BLAS, the rest in one pass each.

Inputs are (N, D) by rows. All parameters stand in one vector, layer by layer: W (outputs, inputs) by rows, then b.
`sizes` holds the units of each layer from the inputs to the outputs.
"""

from math import isfinite, log, tanh
from typing import Any

import numpy as np

from batchlab.engines.compiled.maths import compiled, exponential, inner, ticks, within
from batchlab.engines.compiled.pacing import first_bad, reached, segment
from batchlab.engines.compiled.sgd import keep, step

ROWS = 2048
"""Rows that are evaluated at once."""
LEAST_ROWS, MOST_ROWS = 4, 40
"""Of a batch whose products are made in pieces; larger ones repay packing."""
RELU, TANH, SIGMOID = 0, 1, 2


@inner
def _activate(a: Any, activation: int) -> None:
    """Apply the activation in place."""
    if activation == RELU:
        for i in range(a.size):
            a[i] = a[i] if not a[i] < np.float32(0.0) else np.float32(0.0)
    elif activation == TANH:
        for i in range(a.size):
            a[i] = np.float32(tanh(a[i]))
    else:
        for i in range(a.size):
            e = exponential(-abs(a[i]))
            a[i] = (e if a[i] < np.float32(0.0) else np.float32(1.0)) / (np.float32(1.0) + e)


@within
def _slope(delta: Any, a: Any, activation: int) -> None:
    """Multiply delta by the activation's slope, given the activation's own value."""
    if activation == RELU:
        for i in range(a.size):
            delta[i] = delta[i] if a[i] > np.float32(0.0) else np.float32(0.0)
    elif activation == TANH:
        for i in range(a.size):
            delta[i] *= np.float32(1.0) - a[i] * a[i]
    else:
        for i in range(a.size):
            delta[i] *= a[i] * (np.float32(1.0) - a[i])


@inner
def _outputs(x: Any, weights: Any, z: Any, small: int) -> None:
    """z (n, K) = x (n, D) times the weights (K, D), transposed: few rows in pieces that BLAS takes without packing."""
    n, some = x.shape[0], small // weights.size
    if LEAST_ROWS <= some < n <= MOST_ROWS:
        for first in range(0, n, some):
            np.dot(x[first : first + some], weights.T, z[first : first + some])
    else:
        np.dot(x, weights.T, z)


@inner
def _slopes(delta: Any, x: Any, into: Any, turned: Any, small: int) -> None:
    """into (K, D) = delta (n, K), transposed, times x (n, D): as `_outputs`, by some outputs at a time. `turned`: room
    for delta's transpose."""
    n, outputs = delta.shape
    some = small // x.size
    if LEAST_ROWS <= some < outputs and n <= MOST_ROWS:
        for k in range(outputs):
            for i in range(n):
                turned[k * n + i] = delta[i, k]
        whole = turned[: outputs * n].reshape(outputs, n)
        for first in range(0, outputs, some):
            np.dot(whole[first : first + some], x, into[first : first + some])
    else:
        np.dot(delta.T, x, into)


@inner
def _forward(w: Any, x: Any, sizes: Any, activation: int, acts: Any, places: Any, small: int) -> None:
    """The outputs of every layer for the rows x (n, D): layer l (from 1) stands in acts from places[l] on."""
    n, offset = x.shape[0], 0
    for layer in range(1, sizes.size):
        inputs, outputs = sizes[layer - 1], sizes[layer]
        weights = w[offset : offset + outputs * inputs].reshape(outputs, inputs)
        bias = w[offset + outputs * inputs : offset + outputs * (inputs + 1)]
        flat = acts[places[layer] : places[layer] + n * outputs]
        z = flat.reshape(n, outputs)
        start = places[layer - 1]
        _outputs(x if layer == 1 else acts[start : start + n * inputs].reshape(n, inputs), weights, z, small)
        for i in range(n):
            row = z[i]
            for k in range(outputs):
                row[k] += bias[k]
        if layer < sizes.size - 1:
            _activate(flat, activation)
        offset += outputs * (inputs + 1)


@inner
def _cross_entropy(z: Any, t: Any) -> Any:
    """The loss of the rows, summed; z (n, K) becomes its gradient, softmax minus one at the label."""
    total: Any = 0.0
    for i in range(z.shape[0]):
        row = z[i]
        top = row[0]
        for k in range(1, row.size):
            top = row[k] if row[k] > top else top
        own, whole = row[t[i]] - top, np.float32(0.0)
        for k in range(row.size):
            row[k] = exponential(row[k] - top)
            whole += row[k]
        total += log(np.float64(whole)) - own
        for k in range(row.size):
            row[k] /= whole
        row[t[i]] -= np.float32(1.0)
    return total


@inner
def _half_squares(z: Any, t: Any) -> Any:
    """Half the squared error of the rows, summed; z becomes its gradient. t (n, K)."""
    total: Any = 0.0
    for i in range(z.shape[0]):
        row, target = z[i], t[i]
        part = np.float32(0.0)
        for k in range(row.size):
            row[k] -= target[k]
            part += row[k] * row[k]
        total += part
    return total / 2


@within
def _backward(
    w: Any, g: Any, x: Any, sizes: Any, activation: int, acts: Any, places: Any, scratch: Any, wide: Any, small: int
) -> None:  # fmt: skip
    """The gradient of all parameters, from that of the outputs, which stands where the outputs stood."""
    n, end = x.shape[0], w.size
    for layer in range(sizes.size - 1, 0, -1):
        inputs, outputs = sizes[layer - 1], sizes[layer]
        offset = end - outputs * (inputs + 1)
        delta = acts[places[layer] : places[layer] + n * outputs].reshape(n, outputs)
        bias = g[offset + outputs * inputs : end]
        for k in range(outputs):
            wide[k] = 0.0
        for i in range(n):
            row = delta[i]
            for k in range(outputs):
                wide[k] += row[k]
        for k in range(outputs):
            bias[k] = np.float32(wide[k])
        into = g[offset : offset + outputs * inputs].reshape(outputs, inputs)
        flat = acts[places[layer - 1] : places[layer - 1] + n * inputs]
        _slopes(delta, x if layer == 1 else flat.reshape(n, inputs), into, scratch, small)
        if layer > 1:
            # The activations below are needed twice: their slope is taken before the gradient replaces them.
            below = scratch[: n * inputs]
            np.dot(delta, w[offset : offset + outputs * inputs].reshape(outputs, inputs), below.reshape(n, inputs))
            _slope(below, flat, activation)
            for i in range(below.size):
                flat[i] = below[i]
        end = offset


@within
def _correct(z: Any, labels: Any) -> int:
    """How many rows have their largest output at their label (the first of equal ones counts)."""
    right = 0
    for i in range(labels.size):
        row, label = z[i], labels[i]
        good = True
        for k in range(row.size):
            good &= row[label] > row[k] if k < label else row[label] >= row[k]
        right += good
    return right


@compiled
def evaluate(w: Any, net: Any, data: Any, entropy: bool) -> tuple[float, float]:
    """Mean loss and the share of rows classified right, of a `data` that `Dense.table` made.

    `labels` is empty in regression; `t` (N, K) is what half squared errors compare with, empty under cross-entropy.
    """
    (sizes, activation, places, acts, _, _, _, _, small, _, _, _), (x, t, labels) = net, data
    rows, outputs = x.shape[0], sizes[-1]
    total, right = 0.0, 0
    for first in range(0, rows, ROWS):
        last = min(first + ROWS, rows)
        _forward(w, x[first:last], sizes, activation, acts, places, small)
        z = acts[places[-2] : places[-2] + (last - first) * outputs].reshape(last - first, outputs)
        if labels.size:
            right += _correct(z, labels[first:last])
        total += _cross_entropy(z, labels[first:last]) if entropy else _half_squares(z, t[first:last])
    return total / rows, right / rows


@inner
def _copy(source: Any, into: Any) -> None:
    for i in range(source.size):
        into[i] = source[i]


@within
def _gather(x: Any, t: Any, labels: Any, order: Any, xs: Any, ts: Any, ls: Any) -> None:
    """The rows of a batch."""
    for i in range(order.size):
        _copy(x[order[i]], xs[i])
    if t.size:
        for i in range(order.size):
            _copy(t[order[i]], ts[i])
    if labels.size:
        for i in range(order.size):
            ls[i] = labels[order[i]]


@within
def _steps(
    w: Any, v: Any, g: Any, sizes: Any, rate: Any, momentum: Any, nesterov: bool, decay: Any, moved: Any, norms: Any
) -> None:  # fmt: skip
    """Each parameter's step, with its norms: weights and biases of each layer in turn."""
    start = 0
    for p in range(2 * (sizes.size - 1)):
        outputs = sizes[p // 2 + 1]
        end = start + (outputs * sizes[p // 2] if p % 2 == 0 else outputs)
        step(w[start:end], v[start:end], g[start:end], rate, momentum, nesterov, decay, moved)
        keep(moved, norms, p)
        start = end


@within
def train(
    w: Any, v: Any, net: Any, data: Any, orders: Any, batch_size: int, done: int, rates: Any, momenta: Any, rule: Any,
    losses: Any, norms: Any,
) -> None:  # fmt: skip
    """Take the updates that follow `done` finished ones, one for each of `rates` and `momenta`: as `layer.train`."""
    (sizes, activation, places, acts, scratch, g, wide, moved, small, xs, ts, ls), (x, t, labels) = net, data
    nesterov, decay, entropy, summed = rule
    rows, outputs = x.shape[0], sizes[-1]
    per_epoch = (rows + batch_size - 1) // batch_size
    whole = orders.shape[1] == 0
    for u in range(rates.size):
        begin = (done + u) % per_epoch * batch_size
        n = min(batch_size, rows - begin)
        if whole:
            xb, tb, lb = x, t, labels
        else:
            order = orders[(done + u) // per_epoch - done // per_epoch, begin : begin + n]
            _gather(x, t, labels, order, xs, ts, ls)
            xb, tb, lb = xs[:n], ts[:n], ls[:n]
        _forward(w, xb, sizes, activation, acts, places, small)
        z = acts[places[-2] : places[-2] + n * outputs].reshape(n, outputs)
        total = _cross_entropy(z, lb) if entropy else _half_squares(z, tb)
        if not summed:
            total /= n
            flat, share = z.reshape(n * outputs), np.float32(n)
            for i in range(flat.size):
                flat[i] /= share
        losses[u] = total
        _backward(w, g, xb, sizes, activation, acts, places, scratch, wide, small)
        _steps(w, v, g, sizes, rates[u], momenta[u], nesterov, decay, moved, norms[u])
        if not isfinite(losses[u]):
            break


@compiled
def advance(
    w: Any, v: Any, net: Any, data: Any, tables: Any, orders: Any, batch_size: int, done: int,
    rates: Any, momenta: Any, rule: Any, every: int, steps: int, watch: Any,
    losses: Any, norms: Any, found: Any, spent: Any,
) -> tuple[int, int]:  # fmt: skip
    """As `layer.advance`: a compiled function calls another by its name, so that each loop has its own."""
    taken, made = 0, 0
    per_epoch = (data[0].shape[0] + batch_size - 1) // batch_size
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
