"""A chart as the last expression of a notebook cell."""

from typing import Any, Protocol

import ipywidgets as widgets
from jupyter_bokeh import BokehModel

from workbook.explorer.bokehjs import load_bokehjs

__all__ = ("Picture",)


class Chart(Protocol):
    """What a chart has to offer (workbook/charts)."""

    root: Any

    def describe(self) -> str:
        """Return the picture's numbers in words."""


class Picture(widgets.VBox):
    """Shows a chart; its `repr` is the chart's description, which nbval compares."""

    def __init__(self, chart: Chart) -> None:
        load_bokehjs()
        self.chart = chart
        super().__init__([BokehModel(chart.root)])

    def __repr__(self) -> str:
        return self.chart.describe()
