"""The torch modules that torch does not have, or not with statistics and draws of this house's kind."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from batchlab.surfaces import Point, SurfaceKind


class BatchNorm(_BatchNorm):
    """Batch norm over (rows, channels, ...), in virtual batches of `virtual_rows` where that is given.

    A virtual batch is normalised by its own mean and variance, and moves the averages by itself (Hoffer et al. 2017,
    algorithm 1). A single value for each channel has no spread: it is normalised to 0 and leaves the averages alone.
    """

    def __init__(self, channels: int, virtual_rows: int | None, momentum: float) -> None:
        super().__init__(channels, momentum=momentum)
        self.virtual_rows = virtual_rows

    def _check_input_dim(self, input: Tensor) -> None:
        """Rows of features and pictures alike."""

    def forward(self, input: Tensor) -> Tensor:
        """The normalised rows, of the same shape."""
        if not self.training or self.virtual_rows is None:
            return self._normalised(input)
        return torch.cat([self._normalised(rows) for rows in torch.split(input, self.virtual_rows)])

    def _normalised(self, rows: Tensor) -> Tensor:
        if not self.training or rows.numel() > rows.shape[1]:
            return super().forward(rows)
        return self.bias.expand_as(rows) + 0.0 * rows  # keeps the graph: its gradient is 0


class Dropout(nn.Module):
    """Leaves out each number with probability `rate`, and divides the others by `1 - rate` (Srivastava et al. 2014).

    The draws come from `draws`, which the trainer seeds for every update, so that a resumed run has equal bits.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.draws: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """The thinned numbers while training, all of them in evaluations."""
        if not self.training:
            return x
        kept = torch.rand(x.shape, generator=self.draws, device=x.device) >= self.rate
        return x * kept / (1.0 - self.rate)


class Residual(nn.Module):
    """A residual block (He et al. 2016): what the body adds to its input, then ReLU."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        y: Tensor = self.body(x)
        return torch.relu(y if self.shortcut is None else y + self.shortcut(x))


class Subsample(nn.Module):
    """Every second pixel, with `more` channels of zeros behind."""

    def __init__(self, more: int) -> None:
        super().__init__()
        self.more = more

    def forward(self, x: Tensor) -> Tensor:
        """Half the sides, more channels."""
        return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.more))


class TiltedSurface(nn.Module):
    """A point on a surface; what it gives for rows of slopes, shape (rows, 2), is their losses, shape (rows, 1)."""

    def __init__(self, surface: SurfaceKind, start: Point, scatter: float = 0.0) -> None:
        super().__init__()
        self.surface = surface
        first = torch.tensor(start) + (scatter * torch.randn(2) if scatter else 0.0)
        self.x, self.y = (nn.Parameter(value) for value in torch.split(first, 1))

    def forward(self, slopes: Tensor) -> Tensor:
        """`surface(x, y) + s x + t y` for each row (s, t)."""
        level: Tensor = self.surface.value(self.x, self.y)
        return level + slopes[:, :1] * self.x + slopes[:, 1:] * self.y


def draws_of(net: nn.Module, device: torch.device) -> torch.Generator | None:
    """One generator for all of the network's dropout, to be seeded for every update; None where it has none."""
    layers = [module for module in net.modules() if isinstance(module, Dropout)]
    if not layers:
        return None
    draws = torch.Generator(device)
    for layer in layers:
        layer.draws = draws
    return draws
