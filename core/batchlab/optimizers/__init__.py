"""Optimizers: the rule that turns a gradient into a step. What torch.optim has is taken from it; `arithmetic` has the
rest. The union below is the registry.
"""

from typing import Any

from batchlab.kinds import union
from batchlab.optimizers.layerwise import Lamb, Lars
from batchlab.optimizers.plain import Adagrad, Adam, AdamW, RmsProp, Sgd
from batchlab.optimizers.sharpness import Asam, Sam
from batchlab.optimizers.warmed import RmspropWarmup

__all__ = ["Adagrad", "Adam", "AdamW", "Asam", "Lamb", "Lars", "Optimizer", "RmsProp", "RmspropWarmup", "Sam", "Sgd"]

Optimizer: Any = union(
    "optimizers", Sgd, Adam, Adagrad, RmsProp, AdamW, Lars, Lamb, RmspropWarmup, Sam, Asam
)  # fmt: skip
