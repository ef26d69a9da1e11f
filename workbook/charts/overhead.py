"""Overhead of memslots: one stacked bar per case, split into the kernel's structures."""

from typing import Any, Final

from bokeh.models import (
    Column,
    ColumnDataSource,
    FactorRange,
    HBar,
    Range1d,
    Text,
)

from workbook.columns.overhead import HATCHES, Cases, overhead_columns, pairs_of, total_columns, total_text
from workbook.columns.theme import NORMAL, Look, Theme, ThemeName, theme_of
from workbook.lib.size import format_size

from .axes.byte import put_bytes_on
from .drawing import draw, draw_hatches, figure_in, hover, text_style
from .heading import Heading
from .sources import show

__all__ = ("OverheadBars",)

ROOM: Final = 1.35
"""The axis goes on behind the longest bar, for its total; further where the chart is narrow."""


TITLE: Final = "What the mapped memslots cost KVM"
NOTHING: Final = "Nothing to compare."


class OverheadBars:
    """Stacked bars of costs, one per case.

    Parameters
    ----------
    height
        Pixels.
    theme
        ``light`` or ``dark``.
    title
        Above the bars.
    compact
        Title, legend and tools in one line.

    Attributes
    ----------
    root
        What to embed.
    source, totals
        One row per case and part, and one per case.
    """

    def __init__(
        self, *, height: int = 160, theme: ThemeName | Theme = "light", title: str = TITLE, compact: bool = False
    ) -> None:
        self.theme = theme_of(theme)
        self._title, self._room = title, ROOM + 0.3 if compact else ROOM
        self._cases = pairs_of(())
        self.source = ColumnDataSource(overhead_columns((), self.theme))
        self.totals = ColumnDataSource(total_columns(()))
        self._bytes = Range1d(start=0, end=1)
        self._names = FactorRange(range_padding=0.1)
        self.figure = figure_in(
            self.theme,
            height=height,
            x_range=self._bytes,
            y_range=self._names,
        )
        self.figure.ygrid.visible = False
        self.figure.yaxis.major_label_text_font_size = NORMAL
        self.figure.yaxis.major_tick_line_color = None
        put_bytes_on(self.figure.xaxis[0], ticks=3)
        place: dict[str, Any] = {"y": "case", "left": "left", "right": "right", "height": 0.6}
        bars = draw(self.figure, self.source, HBar(**place, fill_color="color", line_color=self.theme.page))
        looks = {one: Look(self.theme.page, self.theme.page, self.theme.text, one) for one in HATCHES}
        draw_hatches(self.figure, self.source, HBar, place, looks)
        draw(
            self.figure,
            self.totals,
            Text(
                x="total",
                y="case",
                text="text",
                x_offset=6,
                **text_style(text_font_size=NORMAL, text_color=self.theme.text),
            ),
        )
        self.figure.add_tools(
            hover(
                [
                    ("@case", "@part"),
                    ("size", "@size"),
                    ("bytes", "@bytes"),
                    ("per memslot", "@formula"),
                    ("allocated", "@when"),
                    ("source", "@source"),
                ],
                renderers=[bars],
            )
        )
        self._heading = Heading(self.figure, self.theme, "memslot-cost", title, compact=compact)
        self.root = Column(children=[self._heading.root, self.figure], sizing_mode="stretch_width")

    def update(self, cases: Cases) -> None:
        """Compare other cases: name -> cost, or pairs of both; the first one on top."""
        self._cases = pairs_of(cases)
        longest = max((cost.total for _, cost in self._cases), default=0)
        self._names.factors = [case for case, _ in reversed(self._cases)]
        self._bytes.end = self._room * longest or 1.0
        columns = overhead_columns(self._cases, self.theme)
        show(self.source, columns)
        looks = zip(columns["part"], columns["color"], columns["role"], strict=True)
        self._heading.update(
            self._title,
            {part: Look(color, self.theme.page, self.theme.text, hatch) for part, color, hatch in looks},
            present={part.name for _, cost in self._cases for part in cost.parts if part.bytes},
        )
        show(self.totals, total_columns(self._cases))

    def say(self, details: str) -> None:
        """Say in a saved picture what it is of: settings and verdict."""
        self._heading.describe(details)

    def describe(self) -> str:
        """Return one line per case: its total and the parts that are not 0."""
        lines = []
        for case, cost in self._cases:
            parts = ", ".join(f"{one.name} {format_size(one.bytes, digits=1)}" for one in cost.parts if one.bytes)
            lines.append(f"{case}: {total_text(cost)}{f' ({parts})' if parts else ''}.")
        return "\n".join(lines) or NOTHING
