"""Predicted against measured: one point per memslot layout and part of its metadata; on the line they are equal."""

from collections.abc import Sequence
from html import escape
from typing import Any, Final

from bokeh.models import (
    BoxZoomTool,
    ColumnDataSource,
    DataRange1d,
    Line,
    PanTool,
    ResetTool,
    Scatter,
    WheelZoomTool,
)
from bokeh.models.annotations import Legend, LegendItem

from workbook.columns.predicted_measured import PARTS, TOTAL, MeasuredPoint, point_rows
from workbook.columns.theme import NORMAL, ThemeName, theme_of
from workbook.lib.cost.measurements import MeasuredHost
from workbook.lib.size import shown_size

from .axes.byte import put_log_bytes_on
from .drawing import figure_in, hover, legend_in

__all__ = ("PredictedMeasured",)

NOTHING: Final = "No measurement."


class PredictedMeasured:
    """Points over two logarithmic axes in bytes, a marker per part, and the line on which both are equal.

    Parameters
    ----------
    height
        Pixels.
    theme
        ``light`` or ``dark``.

    Attributes
    ----------
    root
        What to embed.
    sources
        Part -> its points.
    """

    def __init__(self, *, height: int = 380, theme: ThemeName = "light") -> None:
        self.theme = theme_of(theme)
        self._hosts: tuple[MeasuredHost, ...] = ()
        self._points: list[MeasuredPoint] = []
        wheel = WheelZoomTool()
        ranges = {"x_range": DataRange1d(range_padding=0.05), "y_range": DataRange1d(range_padding=0.05)}
        self.figure = figure_in(
            self.theme,
            title="Each array of each layout: predicted and measured",
            height=height,
            tools=[PanTool(), wheel, BoxZoomTool(), ResetTool()],
            saved_as="predicted-measured",
            x_axis_type="log",
            y_axis_type="log",
            **ranges,
        )
        self.figure.xaxis.axis_label, self.figure.yaxis.axis_label = "predicted by the model", "measured in the kernel"
        for axis in (*self.figure.xaxis, *self.figure.yaxis):
            put_log_bytes_on(axis, ticks=7)
        self._line = ColumnDataSource({"x": [], "y": []})
        line: Any = self.figure.add_glyph(
            self._line, Line(x="x", y="y", line_color=self.theme.muted, line_width=1.5, line_dash="dashed")
        )
        items = [LegendItem(label="equal", renderers=[line])]
        self.sources = {}
        for number, (part, marker) in enumerate({**PARTS, TOTAL: "hex"}.items()):
            color = self.theme.series[number]
            self.sources[part] = ColumnDataSource({name: [] for name in MeasuredPoint._fields})
            points: Any = self.figure.add_glyph(
                self.sources[part],
                Scatter(
                    x="predicted",
                    y="measured",
                    marker=marker,
                    size=10,
                    fill_color=color,
                    fill_alpha=0.35,
                    line_color=color,
                    line_width=1.5,
                ),
            )
            items.append(LegendItem(label=part, renderers=[points]))
            self.figure.add_tools(
                hover(
                    [
                        ("@layout", "@part"),
                        ("predicted", "@predicted_text"),
                        ("measured", "@measured_text"),
                        ("verdict", "@verdict"),
                        ("file", "@host"),
                    ],
                    renderers=[points],
                )
            )
        self._legend = legend_in(
            self.theme, Legend(items=items, orientation="horizontal", location="top_left", click_policy="hide")
        )
        self.figure.add_layout(self._legend, "above")
        self._items = dict(zip(("equal", *PARTS, TOTAL), items, strict=True))
        self.root = self.figure

    def update(self, hosts: Sequence[MeasuredHost]) -> None:
        """Show other hosts: what `workbook.data.measurements` returns."""
        self._hosts = tuple(hosts)
        self._points = point_rows(self._hosts)
        for part, source in self.sources.items():
            rows = [row for row in self._points if row.part == part]
            source.data = {name: [row[at] for row in rows] for at, name in enumerate(MeasuredPoint._fields)}
            self._items[part].visible = bool(rows)
        sizes = [size for row in self._points for size in (row.predicted, row.measured) if size]
        ends = [min(sizes), max(sizes)] if sizes else []
        self._line.data = {"x": ends, "y": ends}

    def describe(self) -> str:
        """Return a line for each host, and one for each point that is not on the line."""
        lines = []
        for host in self._hosts:
            rows = [row for row in self._points if row.host == host.name]
            equal = sum(row.verdict == "equal" for row in rows)
            low, high = min((row.measured for row in rows), default=0), max((row.measured for row in rows), default=0)
            lines.append(
                f"{host.name}: {len(host.layouts)} layouts, {len(rows)} arrays from {shown_size(int(low))} to "
                f"{shown_size(int(high))}; {equal} of {len(rows)} equal to the page."
            )
        lines += [
            f"{row.layout}, {row.part}: {row.verdict} ({row.host})." for row in self._points if row.verdict != "equal"
        ]
        return "\n".join(lines) or NOTHING

    def html(self) -> str:
        """Return the points as a table that screen readers can read."""
        names = ("layout", "part", "predicted", "measured", "verdict")
        cells = [(row[4], row[2], row[5], row[6], row[7]) for row in self._points]
        head = "".join(f"<th scope='col' style='text-align:left;padding:2px 12px'>{name}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td style='padding:2px 12px'>{escape(str(cell))}</td>" for cell in row) + "</tr>"
            for row in cells
        )
        return (
            f"<table style='color:{self.theme.text};font:{NORMAL} monospace'>"
            f"<caption style='text-align:left'>{escape(self.describe())}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )
