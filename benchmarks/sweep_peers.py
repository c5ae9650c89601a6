"""Sweeps as a person would write them: plain PyTorch, and JAX with one jitted scan for each batch size.

    python sweep_peers.py torch|jax textbook|mnist|conv PARTS.npz

`PARTS.npz` holds what `benchmarks.sweeps` trains on: the rows of each seed and the orders of its epochs, so that all
sides see the same batches. Prints the seconds of the sweep as JSON: imports and reading are not counted, compiling is.
Nothing of batchlab is imported here.
"""

import json
import sys
import time
from itertools import pairwise
from typing import Any

import numpy as np


class Textbook:
    """Softmax regression from zero at the rate 0.5; loss and both norms of every update, evaluations every 80."""

    rates, momentum, every = (0.5,), 0.0, 80


class Mnist:
    """A perceptron 784-128-10 under momentum 0.9; loss and four norms of every update, one evaluation at the end."""

    rates, momentum, every = (0.01, 0.02, 0.05, 0.1), 0.9, None


class Conv:
    """Two 3x3 convolutions of 8 and 16 channels, then 64 units, under momentum 0.9; loss and norms of every update."""

    rates, momentum, every = (0.05,), 0.9, None


def torch_sweep(parts: Any, spec: Any) -> dict[str, Any]:
    """One cell after the other: seconds of all, and of each batch size."""
    import torch

    torch.set_num_threads(1)
    train, by_size = torch_picture_cell if spec is Conv else torch_cell, {}
    began = time.perf_counter()
    for size in parts["sizes"]:
        start = time.perf_counter()
        for rate in spec.rates:
            for seed in range(len(parts["orders"])):
                train(parts, spec, int(size), rate, seed)
        by_size[str(size)] = time.perf_counter() - start
    return {"seconds": time.perf_counter() - began, "by_size": by_size}


def torch_picture_cell(parts: Any, spec: Any, size: int, rate: float, seed: int) -> Any:
    """As most people write it: a model of layers, and plain numbers of every step by `.item()`."""
    import torch
    from torch import nn
    from torch.nn import functional

    x, y, xv, yv = (torch.from_numpy(parts[f"{name}{seed}"]) for name in ("x", "y", "xv", "yv"))
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=spec.momentum)
    losses, norms, evaluations = [], [], []

    @torch.no_grad()
    def evaluate() -> None:
        model.eval()
        for rows, labels in ((x, y), (xv, yv)):
            loss, right = 0.0, 0
            for part, own in zip(rows.split(1000), labels.split(1000), strict=True):
                z = model(part)
                loss += functional.cross_entropy(z, own, reduction="sum").item()
                right += (z.argmax(1) == own).sum().item()
            evaluations.append((loss / len(rows), right / len(rows)))
        model.train()

    evaluate()
    for order in parts["orders"][seed]:
        for rows in torch.from_numpy(order).split(size):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            losses.append(loss.item())
            norms.append([p.grad.norm().item() for p in model.parameters()])
            optimizer.step()
    evaluate()
    return losses, norms, [accuracy for _, accuracy in evaluations]


def torch_cell(parts: Any, spec: Any, size: int, rate: float, seed: int) -> Any:
    """Autograd and torch.optim.SGD; losses, norms and evaluations stay tensors until the end."""
    import torch
    from torch.nn import functional

    x, y, xv, yv = (torch.from_numpy(parts[f"{name}{seed}"]) for name in ("x", "y", "xv", "yv"))
    params = torch_parameters([int(width) for width in parts["widths"]])
    optimizer = torch.optim.SGD(params, lr=rate, momentum=spec.momentum)
    losses, norms, evaluations = [], [], []

    def outputs(rows: Any) -> Any:
        for i in range(0, len(params) - 2, 2):
            rows = torch.relu(functional.linear(rows, params[i], params[i + 1]))
        return functional.linear(rows, params[-2], params[-1])

    @torch.no_grad()
    def evaluate() -> None:
        for rows, labels in ((x, y), (xv, yv)):
            z = outputs(rows)
            evaluations.append((functional.cross_entropy(z, labels), (z.argmax(1) == labels).float().mean()))

    for order in parts["orders"][seed]:
        for rows in torch.from_numpy(order).split(size):
            optimizer.zero_grad()
            loss = functional.cross_entropy(outputs(x[rows]), y[rows])
            loss.backward()
            losses.append(loss.detach())
            norms += [torch.linalg.vector_norm(p.grad) for p in params]
            optimizer.step()
            if spec.every and len(losses) % spec.every == 0:
                evaluate()
    evaluate()
    return torch.stack(losses).numpy(), torch.stack(norms).numpy(), [float(a) for _, a in evaluations]


def torch_parameters(widths: list[int]) -> list[Any]:
    """Zeros for one layer, else uniform within 1 / sqrt(inputs)."""
    import torch

    params = []
    for d, k in pairwise(widths):
        scale = d**-0.5 if len(widths) > 2 else 0.0
        params += [torch.empty(k, d).uniform_(-scale, scale), torch.zeros(k)]
    return [p.requires_grad_() for p in params]


def jax_sweep(parts: Any, spec: Any) -> dict[str, Any]:
    """One jitted scan for each batch size, over all updates, and `vmap` over rates and seeds."""
    import jax
    import jax.numpy as jnp

    seeds = len(parts["orders"])
    widths = [int(w) for w in parts["widths"]]
    x, y, xv, yv = (np.stack([parts[f"{name}{seed}"] for seed in range(seeds)]) for name in ("x", "y", "xv", "yv"))
    n = x.shape[1]
    began = time.perf_counter()

    def outputs(params: Any, rows: Any) -> Any:
        for w, b in params[:-1]:
            rows = jax.nn.relu(rows @ w + b)
        return rows @ params[-1][0] + params[-1][1]

    def rows_loss(params: Any, rows: Any, labels: Any) -> Any:
        logs = jax.nn.log_softmax(outputs(params, rows))
        return -jnp.take_along_axis(logs, labels[:, None], 1)[:, 0]

    def one(params: Any, rate: Any, data: Any, batches: Any) -> Any:
        x, y, xv, yv = data

        def update(carry: Any, batch: Any) -> Any:
            params, velocity = carry
            rows, weight = batch

            def mean(params: Any) -> Any:
                return (rows_loss(params, x[rows], y[rows]) * weight).sum() / weight.sum()

            loss, g = jax.value_and_grad(mean)(params)
            velocity = jax.tree.map(lambda v, g: spec.momentum * v + g, velocity, g)
            params = jax.tree.map(lambda p, v: p - rate * v, params, velocity)
            return (params, velocity), (loss, [jnp.linalg.norm(leaf) for leaf in jax.tree.leaves(g)])

        def evaluated(params: Any) -> Any:
            return [
                (rows_loss(params, a, b).mean(), (outputs(params, a).argmax(1) == b).mean())
                for a, b in ((x, y), (xv, yv))
            ]

        def stretch(carry: Any, batches: Any) -> Any:
            carry, measured = jax.lax.scan(update, carry, batches)
            return carry, (measured, evaluated(carry[0]))

        start = params, jax.tree.map(jnp.zeros_like, params)
        groups, rest = batches
        carry, kept = jax.lax.scan(stretch, start, groups)
        carry, last = jax.lax.scan(update, carry, rest)
        return kept, last, evaluated(carry[0])

    for size in map(int, parts["sizes"]):
        per_epoch = -(-n // size)
        padded = np.full((*parts["orders"].shape[:2], per_epoch * size), 0, np.int32)
        padded[..., :n] = parts["orders"]
        weight = np.zeros(per_epoch * size, np.float32)
        weight[:n] = 1
        rows = padded.reshape(seeds, -1, size)
        weights = np.broadcast_to(np.tile(weight.reshape(per_epoch, size), (parts["orders"].shape[1], 1)), rows.shape)
        every = spec.every or rows.shape[1]
        whole = rows.shape[1] // every * every
        shape = (seeds, -1, every, size)
        batches = (
            (rows[:, :whole].reshape(shape), weights[:, :whole].reshape(shape)),
            (rows[:, whole:], weights[:, whole:]),
        )
        rng = np.random.default_rng(0)
        params = [
            (
                rng.uniform(-1, 1, (d, k)).astype(np.float32) * (d**-0.5 if len(widths) > 2 else 0),
                np.zeros(k, np.float32),
            )
            for d, k in pairwise(widths)
        ]
        over_seeds = jax.vmap(one, in_axes=(None, None, 0, 0))
        found = jax.jit(jax.vmap(over_seeds, in_axes=(None, 0, None, None)))(
            params, np.array(spec.rates, np.float32), (x, y, xv, yv), batches
        )
        jax.tree.map(np.asarray, found)
    return {"seconds": time.perf_counter() - began}


def main() -> None:
    side, workload, path = sys.argv[1:]
    with np.load(path) as file:
        parts = dict(file)
    spec = {"textbook": Textbook, "mnist": Mnist, "conv": Conv}[workload]
    if side == "torch":
        import torch  # noqa: F401, not counted
    else:
        import jax

        jax.numpy.zeros(1).block_until_ready()
    print(json.dumps({"torch": torch_sweep, "jax": jax_sweep}[side](parts, spec)))


if __name__ == "__main__":
    main()
