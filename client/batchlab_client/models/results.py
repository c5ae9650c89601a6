"""What experiments have measured: results, curves, digests."""

from typing import Any

from pydantic import ConfigDict, Field

from batchlab_client.models.base import Model, Number
from batchlab_client.models.experiments import Cell


class Estimate(Model):
    """A mean over seeds; all null where there is no number."""

    mean: Number
    sd: Number
    """Standard deviation of the sample (n - 1); null for one seed."""
    ci95: tuple[float, float] | None
    """Student-t interval for the mean; null for one seed."""


NOTHING = Estimate(mean=None, sd=None, ci95=None)


class Group(Model):
    """The cells of one point of the sweep that differ only in their seed; its further keys are metrics, too."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Estimate] = Field(init=False)

    by: dict[str, Any]
    """variant, batch_size, lr, momentum and the further axes."""
    n: int
    """Succeeded cells: what the means are over."""
    n_diverged: int
    n_failed: int
    n_reached: int | None = None
    """Where a target is set: succeeded cells that reached it. The means of what it took are over those alone."""
    train_loss: Estimate = NOTHING
    train_accuracy: Estimate = NOTHING
    val_loss: Estimate = NOTHING
    val_accuracy: Estimate = NOTHING
    best_val_loss: Estimate = NOTHING
    best_val_accuracy: Estimate = NOTHING
    mean_grad_norm: Estimate = NOTHING
    """Over the updates of each cell."""
    seconds_per_update: Estimate = NOTHING
    seconds_per_epoch: Estimate = NOTHING
    updates: Estimate = NOTHING

    @property
    def metrics(self) -> dict[str, Estimate]:
        """Every metric by name, `mean_grad_norm/<parameter>` and the like among them."""
        return {name: value for name, value in self if isinstance(value, Estimate)}


class Results(Model):
    """Results by cell, and averaged over seeds."""

    cells: list[Cell]
    groups: list[Group]


class CurveSeries(Model):
    """One metric of one cell (or, with `group=seed`, of one point of the sweep), thinned to the asked points.

    `x`, `mean`, `min` and `max` have one entry a point; so have `n`, `lo` and `hi`, which only `group=seed` fills.
    """

    cell: str | None
    metric: str
    variant: str | None
    batch_size: int
    lr: float
    momentum: float | None
    seed: int | None
    params: dict[str, float] = Field(default_factory=dict)
    x: list[float]
    mean: list[Number]
    min: list[Number]
    max: list[Number]
    n_raw: int
    """Values behind the points."""
    level: int
    """A point covers 8 ** level updates."""
    exact: bool
    """Whether every stored value is a point."""
    diverged_at: int | None
    """The update whose loss was not finite."""
    n: list[int] | None = None
    """Seeds behind each point."""
    lo: list[Number] | None = None
    """Lower end of the 95 % interval over seeds."""
    hi: list[Number] | None = None


class Curves(Model):
    """The asked series."""

    series: list[CurveSeries]


class Digest(Model):
    """SHA-256 of everything an experiment measured but times and places: equal digests, equal experiments."""

    class CellDigest(Model):
        """The digest of one cell."""

        ordinal: int
        digest: str

    digest: str
    cells: list[CellDigest]
