"""Curves over a size: memslots, memslot sizes or metadata of several rule sets or budgets."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from bokeh.core.properties import value
from bokeh.models import (
    Axis,
    ColumnDataSource,
    DataRange1d,
    Line,
    LogTicker,
    NumeralTickFormatter,
    Scatter,
    Step,
)
from bokeh.models.annotations import Legend, LegendItem

from workbook.columns.curve import Points, Unit, curve_columns, mark_columns, value_text
from workbook.columns.theme import ThemeName, theme_of
from workbook.lib.errors import BadInput

from .axes.byte import put_bytes_on, put_log_bytes_on
from .drawing import figure_in, hover, legend_in, zoom_tools

__all__ = ("Curves",)

DASHES: Final = ("solid", "dashed", "dotdash", "dotted", "dashdot", [2, 2], [10, 4], [1, 5])
MARKERS: Final = ("circle", "square", "triangle", "diamond", "inverted_triangle", "star", "hex", "plus")
MOST: Final = len(DASHES)
"""Curves in one chart: more cannot be told apart."""


class Curves:
    """Named curves, as a rule over a logarithmic axis in powers of two; a click in the legend hides one.

    Parameters
    ----------
    title, x_title, y_title
        Texts.
    x_unit, y_unit
        ``bytes`` or ``count``.
    x_log, y_log
        Logarithmic axes, on which there is no place for 0.
    steps
        Keep each value until the next x, instead of straight lines.
    height
        Pixels.
    theme
        ``light`` or ``dark``.

    Attributes
    ----------
    root
        What to embed.
    sources, marks
        Of each of `MOST` curves: all points, and those with a marker.
    """

    def __init__(
        self,
        title: str = "",
        *,
        x_title: str = "device size",
        y_title: str = "memslots",
        x_unit: Unit = "bytes",
        y_unit: Unit = "count",
        x_log: bool = True,
        y_log: bool = False,
        steps: bool = False,
        height: int = 340,
        theme: ThemeName = "light",
    ) -> None:
        self.theme = theme_of(theme)
        self.curves: dict[str, Points] = {}
        self._x_title, self._y_title = x_title, y_title
        self._units: tuple[Unit, Unit] = (x_unit, y_unit)
        self.figure = figure_in(
            self.theme,
            title=title,
            height=height,
            tools=zoom_tools("both"),
            saved_as="curves",
            x_axis_type="log" if x_log else "linear",
            y_axis_type="log" if y_log else "linear",
            x_range=DataRange1d(range_padding=0.02, only_visible=True),
            y_range=DataRange1d(range_padding=0.06, only_visible=True) if y_log else DataRange1d(start=0),
        )
        self.figure.xaxis.axis_label, self.figure.yaxis.axis_label = x_title, y_title
        _put_unit_on(self.figure.xaxis[0], x_unit, log=x_log)
        _put_unit_on(self.figure.yaxis[0], y_unit, log=y_log)
        empty = curve_columns(([], []), x_unit=x_unit, y_unit=y_unit)
        self.sources = [ColumnDataSource({**empty, "name": []}) for _ in range(MOST)]
        self.marks = [ColumnDataSource(empty) for _ in range(MOST)]
        self._items = [self._curve(number, steps=steps) for number in range(MOST)]
        self._legend = legend_in(self.theme, Legend(items=[], click_policy="hide"))
        # padding counts only within a border
        self._legend.update(glyph_width=36, padding=12, border_line_color=self.theme.page, border_line_alpha=0.01)
        self.figure.add_layout(self._legend, "right")
        self.root = self.figure

    def _curve(self, number: int, *, steps: bool) -> LegendItem:
        line: dict[str, Any] = {
            "line_color": self.theme.series[number],
            "line_dash": DASHES[number],
            "line_width": 2,
        }
        glyph = Step(x="x", y="y", mode="after", **line) if steps else Line(x="x", y="y", **line)
        curve = self.figure.add_glyph(self.sources[number], glyph)
        mark = Scatter(x="x", y="y", marker=value(MARKERS[number]), size=7, fill_color=self.theme.series[number])
        mark.line_color = self.theme.page
        marks = self.figure.add_glyph(self.marks[number], mark)
        # the points between the markers answer to the mouse, too
        every = self.figure.add_glyph(self.sources[number], Scatter(x="x", y="y", size=9, fill_alpha=0, line_alpha=0))
        rows = [("", "@name"), (self._x_title, "@x_text"), (self._y_title, "@y_text")]
        self.figure.add_tools(hover(rows, renderers=[every]))
        renderers: list[Any] = [curve, marks, every]
        return LegendItem(label=value(""), renderers=renderers)

    def update(self, curves: Mapping[str, Points]) -> None:
        """Show other curves: name -> x and y.

        Raises
        ------
        BadInput
            More than `MOST` curves, or one with unequal numbers of x and y.
        """
        if len(curves) > MOST:
            raise BadInput(f"{len(curves)} curves cannot be told apart: give at most {MOST}")
        x_unit, y_unit = self._units
        columns = [curve_columns(points, x_unit=x_unit, y_unit=y_unit) for points in curves.values()]
        self.curves = dict(curves)
        for number, (source, marks, item) in enumerate(zip(self.sources, self.marks, self._items, strict=True)):
            shown = columns[number] if number < len(columns) else curve_columns(([], []), x_unit=x_unit, y_unit=y_unit)
            name = list(curves)[number] if number < len(columns) else ""
            source.data = {**shown, "name": [name] * len(shown["x"])}
            marks.data = mark_columns(shown, number * 3)
            item.label = value(name)
        self._legend.items = self._items[: len(columns)]

    def describe(self) -> str:
        """Return one line per curve: its first and last point, least and largest value."""
        lines = []
        x_unit, y_unit = self._units
        for name, points in self.curves.items():
            x, y = (np.asarray(one) for one in points)
            if not x.size:
                lines.append(f"{name}: no points.")
                continue
            ends = ", ".join(
                f"{value_text(y[at].item(), y_unit)} at {value_text(x[at].item(), x_unit)}"
                for at in sorted({0, x.size - 1})
            )
            least, most = value_text(y.min().item(), y_unit), value_text(y.max().item(), y_unit)
            lines.append(f"{name}: {self._y_title} {ends}; from {least} to {most}.")
        return "\n".join(lines) or "No curves."


def _put_unit_on(axis: Axis, unit: Unit, *, log: bool) -> None:
    if unit == "bytes":
        (put_log_bytes_on if log else put_bytes_on)(axis)
        return
    axis.formatter = NumeralTickFormatter(format="0,0.[00]")
    if log:
        axis.ticker = LogTicker(base=2, mantissas=[1], desired_num_ticks=8)
