"""An ensemble as a person would write it: plain PyTorch one network after the other, and JAX with `vmap` and `scan`.

    python ensemble_peers.py torch|jax DEVICE PARTS.npz

`PARTS.npz` holds what `benchmarks.ensemble` trains on: the rows, and those of every update of each network. Prints the
updates a second (steps of one network) as JSON: imports, reading and compiling are not counted. Nothing of batchlab is
imported here.
"""

import json
import sys
import time
from itertools import pairwise
from typing import Any

import numpy as np

FEW, RATE, MOMENTUM = 8, 0.05, 0.9
WIDTHS = (784, 128, 10)


def initial(seed: int) -> list[Any]:
    """Weights uniform within 1 / sqrt(inputs), biases 0."""
    rng, found = np.random.default_rng(seed), []
    for d, k in pairwise(WIDTHS):
        found += [rng.uniform(-(d**-0.5), d**-0.5, (d, k)).astype(np.float32), np.zeros(k, np.float32)]
    return found


def torch_rate(parts: Any, device: str) -> dict[str, Any]:
    """A few of the networks, one after the other; losses stay tensors until a network is trained."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.set_num_threads(1)
    x, y, rows = (torch.from_numpy(parts[name]).to(device) for name in ("x", "y", "rows"))
    half, seconds = rows.shape[1] // 2, 0.0
    for network in range(FEW):
        model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)).to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
        for stretch in torch.split(rows[network], half):
            began, losses = time.perf_counter(), []
            for own in stretch:
                optimizer.zero_grad()
                loss = functional.cross_entropy(model(x[own]), y[own])
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            torch.stack(losses).cpu()
            last = time.perf_counter() - began
        seconds += last
    name = "CPU, one thread" if device == "cpu" else torch.cuda.get_device_name(device)
    return {"rate": FEW * half / seconds, "device": name}


def jax_rate(parts: Any, _: str) -> dict[str, Any]:
    """All networks at once: a jitted scan over updates, `vmap` over networks."""
    import jax
    import jax.numpy as jnp

    x, y, updates = jnp.asarray(parts["x"]), jnp.asarray(parts["y"]), int(parts["updates"])
    networks = len(parts["rows"])
    jax.config.update("jax_default_matmul_precision", "highest")  # float32 as the others: a GPU would round the factors

    def outputs(params: Any, rows: Any) -> Any:
        return jax.nn.relu(rows @ params[0] + params[1]) @ params[2] + params[3]

    def one(params: Any, velocity: Any, batches: Any) -> Any:
        def update(carry: Any, rows: Any) -> Any:
            params, velocity = carry

            def mean(params: Any) -> Any:
                logs = jax.nn.log_softmax(outputs(params, x[rows]))
                return -jnp.take_along_axis(logs, y[rows][:, None], 1).mean()

            loss, g = jax.value_and_grad(mean)(params)
            velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocity, g)
            return (jax.tree.map(lambda p, v: p - RATE * v, params, velocity), velocity), loss

        return jax.lax.scan(update, (params, velocity), batches)

    train = jax.jit(jax.vmap(one), donate_argnums=(0, 1))
    params = [jnp.stack(each) for each in zip(*(initial(seed) for seed in range(networks)), strict=True)]
    carry = params, [jnp.zeros_like(p) for p in params]
    for first in (0, updates):
        rows = jax.block_until_ready(jnp.asarray(parts["rows"][:, first : first + updates]))
        jax.block_until_ready(carry)
        began = time.perf_counter()
        carry, losses = train(*carry, rows)
        np.asarray(jax.block_until_ready((carry, losses))[1])
        seconds = time.perf_counter() - began
    device = jax.devices()[0]
    name = "CPU, one thread" if device.platform == "cpu" else device.device_kind
    return {"rate": networks * updates / seconds, "device": name}


def main() -> None:
    side, device, path = sys.argv[1:]
    with np.load(path) as file:
        parts = dict(file)
    print(json.dumps({"torch": torch_rate, "jax": jax_rate}[side](parts, device)))


if __name__ == "__main__":
    main()
