"""Models: the network that is trained. Building one needs torch, which is imported inside functions alone.

`layers` has the parts of networks, `modules` what torch lacks (the only file here that imports it), `norms` what stands
between layers; the other modules have the models, joined here.
"""

from typing import Any

from batchlab.kinds import union
from batchlab.models.base import ModelKind
from batchlab.models.convolutional import Cnn, LeNet, Vgg
from batchlab.models.dense import Linear, Mlp, Softmax
from batchlab.models.keskar import Keskar
from batchlab.models.layers import Activation, Shape
from batchlab.models.norms import Norm
from batchlab.models.residual import ResNet
from batchlab.models.surface import OnSurface

__all__ = [
    "Activation",
    "Cnn",
    "Keskar",
    "LeNet",
    "Linear",
    "Mlp",
    "Model",
    "ModelKind",
    "Norm",
    "OnSurface",
    "ResNet",
    "Shape",
    "Softmax",
    "Vgg",
]

Model: Any = union("models", Softmax, Linear, Mlp, Cnn, LeNet, Vgg, Keskar, ResNet, OnSurface)
