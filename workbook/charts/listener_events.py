"""Memory listener callbacks for the transition between two layouts, in order, along the addresses."""

from collections.abc import Sequence
from html import escape
from typing import Any, Final

from bokeh.models import (
    Column,
    ColumnDataSource,
    FixedTicker,
    Quad,
    Range1d,
    Text,
)

from workbook.columns.broken_axis import BrokenAxis
from workbook.columns.listener_events import (
    MOST_ROWS,
    NOTHING,
    ROLES,
    axis_of,
    events_in_words,
    headline,
    label_columns,
    listener_columns,
    missing_columns,
)
from workbook.columns.memory_map import gap_columns
from workbook.columns.table import Columns
from workbook.columns.theme import NORMAL, ThemeName, theme_of
from workbook.lib.memory.flatview import Change
from workbook.lib.size import KiB

from .axes.address import fit_labels, put_addresses_on
from .drawing import draw, draw_hatches, figure_in, hover, painted, styled, text_style, zoom_tools
from .heading import Heading
from .sources import show

__all__ = ("ListenerEvents",)

LEGEND: Final = {
    "del": "region_del",
    "add": "region_add",
    "nop": "region_nop (unchanged)",
    "over": "missing for a moment",
    "gap": "not to scale",
}
ROW: Final = 23
LEAST: Final = 230
"""Pixels that the toolbar needs."""


class ListenerEvents:
    """A chart of callbacks: one row each, from top to bottom in the order in which listeners get them.

    Parameters
    ----------
    theme
        ``light`` or ``dark``.

    Attributes
    ----------
    root
        What to embed.
    sources
        ``events``, ``missing``, ``labels``, ``gaps``, ``knots``.
    changes
        What is shown.
    """

    def __init__(self, *, theme: ThemeName = "light") -> None:
        self.theme = theme_of(theme)
        self.changes: tuple[Change, ...] = ()
        axis = axis_of(())
        self.sources = {name: ColumnDataSource(columns) for name, columns in self._columns(axis).items()}
        self._rows = Range1d(start=-1.6, end=0.6)
        self._places = Range1d(start=0, end=axis.end, min_interval=64 * KiB)
        self.figure = figure_in(
            self.theme,
            height=200,
            tools=zoom_tools("width"),
            x_range=self._places,
            y_range=self._rows,
        )
        self.figure.min_border_left, self.figure.min_border_right = 104, 48
        self.figure.ygrid.visible = False
        self.figure.yaxis.major_tick_line_color = self.figure.yaxis.axis_line_color = None
        put_addresses_on(self.figure.xaxis[0], self.figure, self.sources["knots"])
        self._draw()
        looks = {words: self.theme.look(role) for role, words in LEGEND.items()}
        self._heading = Heading(self.figure, self.theme, "listener-events", NOTHING, looks)
        self.root = Column(children=[self._heading.root, self.figure], sizing_mode="stretch_width")
        self.update(())

    def _columns(self, axis: BrokenAxis) -> dict[str, Columns]:
        return {
            "knots": dict(axis.columns()),
            "events": listener_columns(self.changes, axis, self.theme),
            "missing": missing_columns(self.changes, axis),
            "gaps": {**gap_columns(axis), "bottom": [-len(self.changes) - 0.6] * len(axis.gaps)},
            "labels": label_columns(self.changes, axis, self.theme),
        }

    def _draw(self) -> None:
        plot, sources = self.figure, self.sources
        across: dict[str, Any] = {"left": "left", "right": "right"}
        place = {**across, "bottom": "bottom", "top": "top"}
        events = draw(plot, sources["events"], Quad(**place, **styled()))
        draw_hatches(plot, sources["events"], Quad, place, {role: self.theme.look(role) for role in ROLES.values()})
        missing = draw(
            plot, sources["missing"], Quad(**across, bottom=-0.3, top=0.4, **painted(self.theme.look("over")))
        )
        gaps = draw(plot, sources["gaps"], Quad(**across, bottom="bottom", top=0.6, **painted(self.theme.look("gap"))))
        draw(plot, sources["labels"], Text(x="x", y="y", text="shown", text_color="color", **text_style()))
        fit_labels(plot, sources["labels"])
        plot.add_tools(
            hover(
                [("@number", "@kind"), ("address", "@range"), ("size", "@size"), ("memory", "@memory")],
                renderers=[events],
            ),
            hover([("missing for a moment", "@size"), ("address", "@range")], renderers=[missing]),
            hover([("not to scale", "@size"), ("address", "@range")], renderers=[gaps]),
        )

    def update(self, changes: Sequence[Change]) -> None:
        """Show other callbacks: what `workbook.lib.machine.snapshot.Layout.changes` returns."""
        self.changes = tuple(changes)
        axis, rows = axis_of(self.changes), len(self.changes)
        first = float(axis.place(min((one.range.start for one in self.changes), default=0)))
        self._places.update(start=first, end=axis.end, reset_start=first, reset_end=axis.end)
        self._rows.start = -max(rows, 1) - 0.6
        self.figure.height = max(LEAST, 90 + ROW * (1 + min(max(rows, 1), MOST_ROWS)))
        self._name_rows()
        for name, columns in self._columns(axis).items():
            show(self.sources[name], columns)
        self._heading.update(headline(self.changes))

    def _name_rows(self) -> None:
        rows = len(self.changes)
        step = -(-rows // MOST_ROWS) or 1
        numbers = range(1, rows + 1, step)
        names = {-float(number): f"{number} {self.changes[number - 1].kind.value}" for number in numbers}
        axis = self.figure.yaxis[0]
        axis.ticker = FixedTicker(ticks=[0, *names])
        labels: dict[Any, Any] = {0.0: "missing", **names}
        axis.major_label_overrides = labels
        axis.major_label_text_font_size = NORMAL

    def describe(self) -> str:
        """Return a line with the numbers, and one line per callback that is not a ``region_nop``."""
        return events_in_words(self.changes)

    def html(self) -> str:
        """Return the callbacks as a table that screen readers can read."""
        columns = listener_columns(self.changes, axis_of(self.changes), self.theme)
        names = ("number", "kind", "range", "size", "memory")
        rows = "".join(
            "<tr>" + "".join(f"<td style='padding:2px 12px'>{escape(str(cell))}</td>" for cell in row) + "</tr>"
            for row in zip(*(columns[name] for name in names), strict=True)
        )
        head = "".join(f"<th scope='col' style='text-align:left;padding:2px 12px'>{name}</th>" for name in names)
        return (
            f"<table style='color:{self.theme.text};font:{NORMAL} monospace'>"
            f"<caption style='text-align:left'>{escape(headline(self.changes))}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )
