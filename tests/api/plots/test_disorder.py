"""The plots of how noisy training is."""

from typing import Any

import pytest
from batchlab_api.plots.disorder import PLOTS
from batchlab_api.plots.options import Options


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
def test_a_plot_of_noise_shows_the_mean_over_a_run(plot: Any, source: Any, cell: Any) -> None:
    result = {"mean_roughness": 0.25, "mean_grad_variance": 3.0, "mean_grad_cosine": 0.5}
    experiment = source([cell(b, s, result=result) for b in (1, 4) for s in range(3)])
    assert not plot.applies(experiment.experiment)
    experiment.experiment["metrics"] = {plot.metric: "1"}
    assert plot.applies(experiment.experiment)
    rows = plot.rows(plot.numbers(experiment))
    assert {row["mean"] for row in rows} == {result[plot.quantities[0].metric]}
    assert plot.chart(plot.numbers(experiment), Options()).to_dict()["description"]
