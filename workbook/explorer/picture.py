"""A chart as the last expression of a notebook cell."""

from typing import Any, Protocol

import ipywidgets as widgets

from workbook.explorer.figure import Figure

__all__ = ("Picture",)


class Chart(Protocol):
    """What a chart has to offer (workbook/charts)."""

    root: Any

    def describe(self) -> str:
        """Return the picture's numbers in words."""


class Picture(widgets.VBox):
    """Shows a chart; its `repr` is the chart's description, which nbval compares."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.figure = Figure(chart.root)
        super().__init__([self.figure])

    def _repr_mimebundle_(self, **options: Any) -> Any:
        self.figure.refresh()
        return super()._repr_mimebundle_(**options)

    def __repr__(self) -> str:
        return self.chart.describe()
