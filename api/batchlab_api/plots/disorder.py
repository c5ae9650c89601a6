"""The plots of how noisy training is, by batch size."""

from batchlab_api.plots.by_axis import Quantity
from batchlab_api.plots.kinds import AxisPlot

PLOTS: tuple[AxisPlot, ...] = (
    AxisPlot(
        name="roughness-vs-batch",
        title="Roughness of the training curve by batch size",
        description="Mean size of the change of the logarithm of the loss from one update to the next.",
        value_title="Mean change of log loss",
        metric="roughness",
        quantities=(Quantity("mean_roughness", "roughness"),),
        log=True,
    ),
    AxisPlot(
        name="gradient-variance-vs-batch",
        title="Variance of the gradient by batch size",
        description="Mean squared distance of a batch's gradient from that of all rows, over the evaluations of a run.",
        value_title="Variance of the gradient",
        metric="grad_variance",
        quantities=(Quantity("mean_grad_variance", "variance"),),
        log=True,
    ),
    AxisPlot(
        name="grad-cosine-vs-batch",
        title="Agreement of successive gradients by batch size",
        description="Mean cosine of the angle between the gradients of a batch and of the batch before.",
        value_title="Mean cosine",
        metric="grad_cosine",
        quantities=(Quantity("mean_grad_cosine", "cosine"),),
    ),
)
