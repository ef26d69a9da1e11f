"""A chart as the last expression of a notebook cell."""

from typing import Any, Protocol

from workbook.columns.theme import Theme

from .bokeh_figure import Displayed, Figure

__all__ = ("Picture",)


class Chart(Protocol):
    """What a chart has to offer (workbook/charts)."""

    root: Any
    theme: Theme

    def describe(self) -> str:
        """Return the picture's numbers in words."""


class Picture(Displayed):
    """Shows a chart; its `repr` is the chart's description, which nbval compares."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.figure = Figure(chart.root, page=chart.theme.page)
        super().__init__([self.figure])

    def figures_within(self) -> tuple[Figure, ...]:
        """Return the chart's figure."""
        return (self.figure,)

    def __repr__(self) -> str:
        return self.chart.describe()
