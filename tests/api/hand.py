"""A hand that trains cells without torch, and the small experiment that it trains."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from batchlab.cell import Cell
from batchlab.engines.base import Block, CellBlock, Ending
from batchlab_db import claims, workers
from batchlab_db.engine import make_engine
from batchlab_db.settings import Settings
from batchlab_db.workers import WorkerInfo

STEPS = 100
TOKEN = "bl_0123456789abcdef"
SPEC: dict[str, Any] = {
    "name": "small",
    "tags": ["test"],
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [4, 16],
    "lr": {"rule": "fixed", "base": 0.5},
    "budget": {"steps": STEPS},
    "seeds": 2,
    "evaluate": {"every_steps": 50},
    "probes": [{"kind": "grad_norm"}],
}
"""Four cells: two batch sizes, two seeds."""


def loss(cell: Cell, steps: Any) -> Any:
    """The loss that the hand records: known for every step, batch size and seed."""
    return (cell.batch_size + 10 * cell.seed + steps / 1000).astype(np.float32)


class Hand:
    """A worker without torch: claims cells and records made-up blocks."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine = make_engine(settings, role="worker")
        self.me = WorkerInfo(machine="here", pid=1, queues=("cpu",), device="cpu", datasets=("sectors",))

    def choose(self, cells: Sequence[Cell], device: str) -> tuple[str, int]:
        return "reference", 1

    def fingerprint(self, engine: str, device: str) -> Mapping[str, Any]:
        return {"engine": engine, "device": device}

    def arrive(self, speed: float | None = None) -> None:
        """Become a living worker."""
        workers.heartbeat(self.engine, self.me, speeds=None if speed is None else {"reference": speed})

    def claim(self) -> claims.Lease | None:
        self.arrive()
        return claims.claim(self.engine, self.me, self.settings, self)

    def train(self, upto: int = STEPS, *, most: int = 1000, diverge: bool = False, fail: str = "") -> int:
        """Train what can be claimed (at most `most` cells) up to an update; returns how many cells."""
        done = 0
        while done < most and (lease := self.claim()) is not None:
            done += 1
            if fail:
                claims.fail(self.engine, lease, fail, "by hand")
            else:
                self.step(lease, upto, diverge=diverge)
        return done

    def step(self, lease: claims.Lease, upto: int, *, diverge: bool = False) -> None:
        """Record one block of a lease's only cell."""
        [leased] = lease.cells
        cell = Cell.model_validate_json(json.dumps(leased.point))
        made = block_of(cell, leased.steps_done, upto, diverge=diverge)
        claims.record(self.engine, lease, Block({leased.position: made}), b"state")
        if upto < cell.steps and not diverge:
            claims.hand_on(self.engine, lease, None, "handed_on")


def block_of(cell: Cell, done: int, upto: int, *, diverge: bool = False) -> CellBlock:
    """Updates `done + 1 .. upto` and their evaluations; the last one ends the cell where it is its last."""
    steps = np.arange(done + 1, upto + 1)
    updates = {"loss": loss(cell, steps), "lr": np.full(len(steps), cell.lr, dtype=np.float32),
               "grad_norm": np.full(len(steps), 0.5, dtype=np.float32),
               "step_seconds": np.full(len(steps), 0.001, dtype=np.float32)}  # fmt: skip
    if diverge:
        updates["loss"][-1] = np.nan
    due = np.arange(done + 1 if done else 0, upto + 1)
    at = due[due % cell.evaluate_every == 0]
    evaluations = {"val_loss": (1 / (1 + at)).astype(np.float32), "val_accuracy": np.full(len(at), 0.5, np.float32)}
    ending = _ending(cell, upto, diverge) if diverge or upto == cell.steps else None
    return CellBlock(int(steps[0]), updates, at, evaluations, upto, ending)


def _ending(cell: Cell, upto: int, diverge: bool) -> Ending:
    if diverge:
        return Ending("diverged", {"val_loss": None, "val_accuracy": None, "diverged_at": upto})
    result = {"val_loss": 1.0 / cell.batch_size + cell.seed, "val_accuracy": 0.5, "train_loss": 0.25,
              "best_val_loss": 0.1, "mean_grad_norm": 0.5, "mean_grad_norm_weights": 0.4, "mean_grad_norm_biases": 0.3,
              "seconds_per_update": 0.001, "updates": upto, "timing": "step", "diverged_at": None}  # fmt: skip
    return Ending("succeeded", result)
