"""Plots of an experiment: numbers first, as plain data that tests can check, then a chart, then a file.

PLOTS          every plot by its stable name
available      those that an experiment can have
Source         what a plot is drawn from
Options        size, resolution, theme
render         chart -> (bytes, media type) as svg, png, pdf, html or json
"""

from batchlab_api.plots.catalogue import PLOTS, available
from batchlab_api.plots.options import Options
from batchlab_api.plots.plot import Plot
from batchlab_api.plots.render import FORMATS, MEDIA_TYPES, Format, PlotTooLarge, render
from batchlab_api.plots.source import Source

__all__ = [
    "FORMATS",
    "MEDIA_TYPES",
    "PLOTS",
    "Format",
    "Options",
    "Plot",
    "PlotTooLarge",
    "Source",
    "available",
    "render",
]
