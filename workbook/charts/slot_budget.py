"""The memslot budget: for each consumer what boot RAM takes, memory devices use and reserve, and what is left."""

from collections.abc import Iterable
from typing import Any, Final

from bokeh.models import (
    Column,
    ColumnDataSource,
    CustomJSTickFormatter,
    FixedTicker,
    HBar,
    Range1d,
    Text,
)
from bokeh.models.annotations import Span

from workbook.columns.slot_budget import FLOOR, PARTS, consumer_columns, slot_budget_columns
from workbook.columns.theme import NORMAL, SMALL, Theme, ThemeName, theme_of
from workbook.lib.host import KVM_SLOTS_TODAY
from workbook.lib.machine.snapshot import Consumer

from .drawing import draw, draw_hatches, figure_in, hover, styled, text_style
from .heading import Heading
from .sources import show

__all__ = ("SlotBudget",)

TITLE: Final = "Memslots per limit (log scale)"
MARKS: Final = (1, 8, 32, 256, 4096, KVM_SLOTS_TODAY)
SMALL_MARKS: Final = (16, 64, 128, 509, 1024, 2048, 8192, 16384)
"""Limits that kernels and back ends have; there is no room for the numbers of all."""
SOFT_LIMIT: Final = 256
"""Of memory devices together, beyond which QEMU 8.2 and later grant a device one memslot
(MEMORY_DEVICES_SOFT_MEMSLOT_LIMIT, include/hw/mem/memory-device.h)."""
ROW: Final = 62
"""Pixels of a row."""
LEGEND: Final = {"boot": "boot", "used": "used", "reserved": "reserved", "free": "free", "over": "too many"}
NO_LIMITS: Final = "No memslot limits: QEMU does not start, or there is neither KVM nor a vhost back end."


def _numbers(one: Consumer) -> str:
    text = f"{one.boot:,} boot + {one.used:,} used + {one.reserved:,} reserved"
    if one.free is None:
        return f"{text}, no limit"
    return f"{text}, {one.free:,} free" if one.free >= 0 else f"{text}, {-one.free:,} TOO MANY"


class SlotBudget:
    """One bar per consumer of memslots, on one logarithmic axis: 21 of 32,764 can be seen, and limits be compared.

    Parameters
    ----------
    height
        Pixels for up to two consumers; the figure grows with more.
    theme
        ``light`` or ``dark``.
    compact
        Title, legend and tools in one line.

    Attributes
    ----------
    root
        What to embed.
    source, names
        One row per piece of a bar, and one per consumer.
    """

    def __init__(self, *, height: int = 180, theme: ThemeName | Theme = "light", compact: bool = False) -> None:
        self.theme = theme_of(theme)
        self._height = height
        self._consumers: tuple[Consumer, ...] = ()
        self.source = ColumnDataSource(slot_budget_columns((), self.theme))
        self.names = ColumnDataSource(consumer_columns(()))
        self._range = Range1d(start=FLOOR, end=100)
        self._rows = Range1d(start=-1.55, end=0.55)
        self.figure = figure_in(
            self.theme,
            height=height,
            x_range=self._range,
            y_range=self._rows,
            x_axis_type="log",
        )
        self.figure.yaxis.visible = False
        self.figure.min_border_left = 24
        self.figure.ygrid.visible = False
        self.figure.xaxis.ticker = FixedTicker(ticks=list(MARKS), minor_ticks=list(SMALL_MARKS))
        self.figure.xaxis.formatter = CustomJSTickFormatter(code="return tick.toLocaleString('en')")
        self.figure.xaxis.minor_tick_line_color = self.theme.muted
        self.figure.xaxis.major_label_text_font_size = "10px"
        place: dict[str, Any] = {"y": "y", "left": "left", "right": "right", "height": 0.3}
        bars = draw(self.figure, self.source, HBar(**place, **styled()))
        draw_hatches(self.figure, self.source, HBar, place, {role: self.theme.look(role) for role in PARTS})
        soft = Span(
            location=SOFT_LIMIT, dimension="height", line_color=self.theme.alarm, line_dash="dashed", level="underlay"
        )
        self.figure.add_layout(soft)
        for column, y, size, weight in (("name", "above", NORMAL, "bold"), ("numbers", "below", SMALL, "normal")):
            style = text_style(text_font_size=size, text_font_style=weight, text_color=self.theme.text)
            draw(self.figure, self.names, Text(x=FLOOR, y=y, text=column, **style))
        rows = [("part", "@part"), ("memslots", "@memslots of @limit"), ("share", "@share")]
        self.figure.add_tools(hover([("consumer", "@consumer"), *rows], renderers=[bars]))
        looks = {words: self.theme.look(role) for role, words in LEGEND.items()}
        self._heading = Heading(self.figure, self.theme, "memslot-budget", TITLE, looks, compact=compact)
        self.root = Column(children=[self._heading.root, self.figure], sizing_mode="stretch_width")
        self.update(())

    def update(self, consumers: Iterable[Consumer]) -> None:
        """Show other consumers."""
        self._consumers = tuple(consumers)
        columns = slot_budget_columns(self._consumers, self.theme)
        rows = max(len(self._consumers), 2)
        self._rows.start = 0.45 - rows
        self.figure.height = self._height + (rows - 2) * ROW
        self._range.end = 1.15 * max([100.0, *columns["right"]])
        present = {LEGEND[str(role)] for role in columns["role"]}
        self._heading.update(TITLE if self._consumers else NO_LIMITS, present=present)
        show(self.source, columns)
        show(self.names, consumer_columns(self._consumers))

    def say(self, details: str) -> None:
        """Say in a saved picture what it is of: settings and verdict."""
        self._heading.describe(details)

    def describe(self) -> str:
        """Return one line per consumer: limit, and what of it is taken, reserved and free."""
        if not self._consumers:
            return NO_LIMITS
        return "\n".join(
            f"{one.name}{'' if one.limit is None else f' ({one.limit:,} {one.unit})'}: {_numbers(one)}."
            for one in self._consumers
        )
