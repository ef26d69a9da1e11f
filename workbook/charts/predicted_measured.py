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

from workbook.lib.cost.measurements import MeasuredHost, MeasuredLayout
from workbook.lib.size import shown_size

from .axes.byte import put_log_bytes_on
from .theme import NORMAL, ThemeName, hover, theme_of

__all__ = ("PARTS", "PredictedMeasured", "point_rows")

PARTS: Final = {"rmap": "circle", "gfn_track": "square", "lpage_info": "triangle", "dirty_bitmap": "diamond"}
"""Part -> marker; `TOTAL` where no parts could be measured."""
TOTAL: Final = "total"
NOTHING: Final = "No measurement."
_NAMES: Final = ("predicted", "measured", "part", "host", "layout", "predicted_text", "measured_text", "verdict")


def point_rows(hosts: Sequence[MeasuredHost]) -> list[tuple[Any, ...]]:
    """Return one row per host, layout and part that is not 0 in both: bytes, and what there is to say of them."""
    return [row for host in hosts for layout in host.layouts for row in _rows(host, layout)]


def _rows(host: MeasuredHost, layout: MeasuredLayout) -> list[tuple[Any, ...]]:
    if layout.parts is None:
        pairs = [(TOTAL, layout.predicted.total, layout.total)]
    else:
        pairs = [(name, size, layout.parts[name]) for name, size in layout.predicted.as_dict().items()]
    rows = []
    for part, predicted, measured in pairs:
        if not predicted and not measured:
            continue
        off = measured - predicted
        near = "within the uncertainty" if layout.parts is None and abs(off) <= layout.uncertainty else ""
        verdict = "equal" if not off else near or f"{off:+,} bytes"
        texts = [f"{shown_size(size)} ({size:,} B)" for size in (predicted, measured)]
        rows.append((float(predicted), float(measured), part, host.name, layout.name, *texts, verdict))
    return rows


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
        self._points: list[tuple[Any, ...]] = []
        wheel = WheelZoomTool()
        ranges = {"x_range": DataRange1d(range_padding=0.05), "y_range": DataRange1d(range_padding=0.05)}
        self.figure = self.theme.figure(
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
            self.sources[part] = ColumnDataSource({name: [] for name in _NAMES})
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
        self._legend = self.theme.dress_legend(
            Legend(items=items, orientation="horizontal", location="top_left", click_policy="hide")
        )
        self.figure.add_layout(self._legend, "above")
        self._items = dict(zip(("equal", *PARTS, TOTAL), items, strict=True))
        self.root = self.figure

    def update(self, hosts: Sequence[MeasuredHost]) -> None:
        """Show other hosts: what `workbook.data.measurements` returns."""
        self._hosts = tuple(hosts)
        self._points = point_rows(self._hosts)
        for part, source in self.sources.items():
            rows = [row for row in self._points if row[2] == part]
            source.data = {name: [row[at] for row in rows] for at, name in enumerate(_NAMES)}
            self._items[part].visible = bool(rows)
        sizes = [size for row in self._points for size in row[:2] if size]
        ends = [min(sizes), max(sizes)] if sizes else []
        self._line.data = {"x": ends, "y": ends}

    def describe(self) -> str:
        """Return a line for each host, and one for each point that is not on the line."""
        lines = []
        for host in self._hosts:
            rows = [row for row in self._points if row[3] == host.name]
            equal = sum(row[-1] == "equal" for row in rows)
            low, high = min((row[1] for row in rows), default=0), max((row[1] for row in rows), default=0)
            lines.append(
                f"{host.name}: {len(host.layouts)} layouts, {len(rows)} arrays from {shown_size(int(low))} to "
                f"{shown_size(int(high))}; {equal} of {len(rows)} equal to the page."
            )
        lines += [f"{row[4]}, {row[2]}: {row[-1]} ({row[3]})." for row in self._points if row[-1] != "equal"]
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
