"""The memory map: which guest-physical addresses are RAM, devices, memslots, and what of it is mapped and plugged."""

from typing import TYPE_CHECKING, Any, Final

from bokeh.models import (
    CategoricalColorMapper,
    Column,
    ColumnDataSource,
    CustomJSHover,
    FixedTicker,
    LinearColorMapper,
    Quad,
    Range1d,
    RangeTool,
    Segment,
    Text,
)
from bokeh.plotting import figure
from bokeh.transform import transform

from workbook.columns.broken_axis import BrokenAxis
from workbook.columns.memory_map import (
    BOX_ROLES,
    LANES,
    NOTHING,
    SLOT_LANE,
    SLOT_STATES,
    Drawable,
    axis_of,
    memory_map_columns,
)
from workbook.columns.memslots import memslot_columns
from workbook.columns.theme import LARGE, NORMAL, Theme, ThemeName, theme_of
from workbook.lib.machine.snapshot import DeviceLayout, Layout
from workbook.lib.size import KiB, shown_size

from .axes.address import fit_labels, fit_slots, put_addresses_on
from .axes.byte import SIZE_JS
from .drawing import draw, draw_hatches, figure_in, hover, painted, styled, text_style, zoom_tools
from .heading import Heading
from .sources import show

if TYPE_CHECKING:
    from bokeh.models.ui import UIElement

__all__ = ("MemoryMap",)

_LEGEND: Final = {
    "unmapped": "not mapped",
    "empty": "mapped, empty",
    "partly": "mapped, partly plugged",
    "full": "mapped, full",
    "plugged": "plugged",
    "requested": "requested",
    "usable": "usable region",
    "gap": "not to scale",
}
TITLE: Final = "Guest-physical memory"
NOT_STARTED: Final = "QEMU does not start: nothing to draw."
NO_CONTAINER: Final = "No device memory: -m has no maxmem."
NO_DEVICE: Final = "No memory device is plugged."
_RANGE_JS: Final = """
const {start, size} = slots.data, first = BigInt(start[special_vars.index])
return `0x${first.toString(16)} - 0x${(first + BigInt(size[special_vars.index]) - 1n).toString(16)}`
"""
_SLOTS: Final[dict[str, Any]] = {"left": "left", "right": "right", "bottom": SLOT_LANE[0], "top": SLOT_LANE[1]}
_BOXES: Final[dict[str, Any]] = {side: side for side in ("left", "right", "bottom", "top")}
_BOTTOM, _TOP = -0.55, len(LANES) - 0.1


class MemoryMap:
    """The map of one layout, along guest-physical addresses.

    Long holes are cut short and marked; a strip below shows everything and which part of it is enlarged.

    Parameters
    ----------
    height
        Of the map without the strip, pixels.
    theme
        ``light`` or ``dark``.
    cut_unmapped
        Cut long runs of memslots that are not mapped, too. A device is then no longer drawn to scale, and the axis
        moves with what is mapped.
    headline
        Say the numbers in the title; not needed where they stand beside the map.
    compact
        A low strip, and title, legend and tools in one line.
    strip
        Whether there is the strip below that shows everything.
    x_range
        Of another map, whose zoom it then shares.

    Attributes
    ----------
    root
        What to embed.
    figure, overview
        The map and the strip.
    x_range
        What part of the axis the map shows, in places of `axis`.
    sources
        ``boxes``, ``slots``, ``runs`` of them, ``labels``, ``markers``, ``gaps``; ``knots``, the
        axis' own; and ``numbers`` of the memslots that the page has room for, which it fills itself.
    layout, axis
        What is drawn (None: nothing), and along which axis.
    cut_unmapped
        As given; a change takes effect with the next `update`.
    """

    def __init__(
        self,
        *,
        height: int = 310,
        theme: ThemeName | Theme = "light",
        cut_unmapped: bool = False,
        headline: bool = True,
        compact: bool = False,
        strip: bool = True,
        x_range: Range1d | None = None,
    ) -> None:
        self.theme = theme_of(theme)
        self.layout: Layout | None = None
        self.axis = axis_of(NOTHING)
        self.cut_unmapped = cut_unmapped
        self._has_headline = headline
        columns = memory_map_columns(NOTHING, self.axis, self.theme)
        self.sources = {name: ColumnDataSource(data) for name, data in columns.items()}
        self.sources["knots"] = ColumnDataSource(self.axis.columns())
        self.sources["numbers"] = ColumnDataSource({"x": [], "text": [], "color": []})
        self.x_range = x_range or Range1d(start=0, end=1, min_interval=64 * KiB)
        self._whole = Range1d(start=0, end=1)
        self.figure = figure_in(
            self.theme,
            height=height,
            tools=zoom_tools("width"),
            x_range=self.x_range,
            y_range=Range1d(start=_BOTTOM, end=_TOP),
        )
        self.figure.min_border_left, self.figure.min_border_right = 112, 24 if compact else 48
        self._set_axes()
        self._draw()
        looks = {words: self.theme.look(role) for role, words in _LEGEND.items()}
        self._heading = Heading(self.figure, self.theme, "memory-map", looks=looks, compact=compact)
        self.overview = self._strip(30 if compact else 54) if strip else None
        parts: list[UIElement] = [self._heading.root, self.figure, *([self.overview] if self.overview else [])]
        self.root = Column(children=parts, sizing_mode="stretch_width")
        self.update(None)

    # -- building, once -------------------------------------------------------------------------------------------

    def _set_axes(self) -> None:
        lanes = self.figure.yaxis[0]
        lanes.ticker = FixedTicker(ticks=list(range(len(LANES))))
        lanes.major_label_overrides = dict(enumerate(reversed(LANES)))
        lanes.major_label_text_font_size = NORMAL
        lanes.major_tick_line_color = lanes.axis_line_color = None
        self.figure.ygrid.visible = False
        put_addresses_on(self.figure.xaxis[0], self.figure, self.sources["knots"])

    def _draw(self) -> None:
        plot, sources = self.figure, self.sources
        boxes = draw(plot, sources["boxes"], _boxes())
        draw_hatches(plot, sources["boxes"], Quad, _BOXES, {role: self.theme.look(role) for role in BOX_ROLES})
        slots = self._draw_slots()
        gaps = draw(
            plot,
            sources["gaps"],
            Quad(left="left", right="right", bottom=_BOTTOM, top=_TOP - 0.75, **painted(self.theme.look("gap"))),
        )
        line = self.theme.look("requested").fill
        marks = Segment(x0="x", x1="x", y0="bottom", y1="top", line_color=line, line_width=1.5, line_dash="dash")
        draw(plot, sources["markers"], marks)
        draw(plot, sources["labels"], Text(x="x", y="y", text="shown", text_color="color", **text_style()))
        style = text_style(
            text_font_size=LARGE,
            text_align="center",
            text_color=self.theme.text,
            background_fill_color=self.theme.page,
            padding=8,
        )
        draw(plot, sources["notice"], Text(x="x", y="y", text="text", **style))
        fit_labels(plot, sources["labels"])
        size = CustomJSHover(code=f"{SIZE_JS}; return size(value)")
        hexadecimal = CustomJSHover(code="return `0x${BigInt(value).toString(16)}`")
        addresses = CustomJSHover(args={"slots": sources["slots"]}, code=_RANGE_JS)
        state = CustomJSHover(args={"words": list(SLOT_STATES.values())}, code="return words[value]")
        texts = [("what", "@what"), ("state", "@state"), ("address", "@range"), ("size", "@size")]
        plot.add_tools(
            hover(texts, renderers=[boxes]),
            hover(
                [
                    ("memslot", "@index of @device"),
                    ("state", "@state{custom}"),
                    ("address", "@start{custom}"),
                    ("offset in backend", "@offset{custom}"),
                    ("size", "@size{custom}"),
                    ("plugged", "@plugged{custom}"),
                ],
                renderers=[slots],
                formatters={
                    "@state": state,
                    "@start": addresses,
                    "@offset": hexadecimal,
                    "@size": size,
                    "@plugged": size,
                },
            ),
            hover([("not to scale", "@size"), ("address", "@range")], renderers=[gaps]),
        )

    def _draw_slots(self) -> Any:
        """Draw memslots and their numbers; their look is chosen by their state in the browser, which saves columns."""
        source, looks = self.sources["slots"], [self.theme.look(role) for role in SLOT_STATES]
        fills = [look.fill for look in looks]
        borders = self._by_state([look.line for look in looks])
        quads = Quad(
            **_SLOTS,
            fill_color=transform("state", self._by_state(fills)),
            line_color=transform("state", borders),
        )
        slots = draw(self.figure, source, quads)
        hatched = dict(zip(SLOT_STATES, looks, strict=True))
        draw_hatches(self.figure, self.sources["runs"], Quad, _SLOTS, hatched)
        style = text_style(text_align="center", text_color="color")
        draw(self.figure, self.sources["numbers"], Text(x="x", y=sum(SLOT_LANE) / 2, text="text", **style))
        fit_slots(self.figure, source, self.sources["numbers"], borders, fills, [look.text for look in looks])
        return slots

    def _by_state(self, palette: list[str]) -> LinearColorMapper:
        return LinearColorMapper(palette=palette, low=-0.5, high=len(palette) - 0.5)

    def _strip(self, height: int) -> figure:
        """Return the strip that shows everything, with a handle on what the map shows."""
        strip = figure_in(
            self.theme, height=height, x_range=self._whole, y_range=Range1d(start=_BOTTOM, end=_TOP - 0.5)
        )
        strip.toolbar_location = None
        strip.min_border_left = 112
        strip.axis.visible = False
        strip.grid.visible = False
        draw(strip, self.sources["boxes"], _boxes(line_alpha=0.0))
        fills = CategoricalColorMapper(
            factors=list(SLOT_STATES), palette=[self.theme.look(role).fill for role in SLOT_STATES]
        )
        draw(strip, self.sources["runs"], Quad(**_SLOTS, fill_color=transform("role", fills), line_alpha=0.0))
        tool = RangeTool(x_range=self.x_range, start_gesture="pan")
        tool.overlay.fill_color, tool.overlay.fill_alpha = self.theme.accent, 0.1
        tool.overlay.line_color, tool.overlay.line_alpha = self.theme.accent, 0.9
        strip.add_tools(tool)
        return strip

    # -- showing --------------------------------------------------------------------------------------------------

    def update(self, layout: Layout | None, *, axis: BrokenAxis | None = None, title: str = "") -> None:
        """Draw another layout; None if there is none. The zoom stays as long as the axis does.

        Parameters
        ----------
        axis
            One that holds other layouts too; None for one of its own.
        title
            In place of the usual one.
        """
        self.layout = layout
        shown: Drawable = layout or NOTHING
        axis = axis or axis_of(shown, cut_unmapped=self.cut_unmapped)
        if not axis.same_as(self.axis) or layout is None:
            self._set_axis(axis)
        for name, columns in memory_map_columns(shown, axis, self.theme, notice=self._notice()).items():
            show(self.sources[name], columns)
        self._heading.update(title or self._headline(), present=self._present())

    def _present(self) -> set[str]:
        """Return the legend's entries of what is drawn now."""
        roles = {*self.sources["boxes"].data["role"], *self.sources["runs"].data["role"]}
        roles |= {"gap"} if self.sources["gaps"].data["left"] else set()
        return {words for role, words in _LEGEND.items() if role in roles}

    def _set_axis(self, axis: BrokenAxis) -> None:
        self.axis = axis
        show(self.sources["knots"], axis.columns())
        for one in (self.x_range, self._whole):
            one.update(bounds=None, start=0.0, end=axis.end, reset_start=0.0, reset_end=axis.end)
        self.x_range.bounds = (0.0, axis.end)

    def _notice(self) -> str:
        if self.layout is None:
            return NOT_STARTED
        if not self.layout.size:
            return NO_CONTAINER
        return "" if self.layout.devices else NO_DEVICE

    def _headline(self) -> str:
        if self.layout is None or not self.layout.devices:
            return TITLE
        if not self._has_headline:
            return f"{TITLE}, {self.layout.rules}"
        used = sum(one.used for one in self.layout.devices)
        count = sum(one.decision.count for one in self.layout.devices)
        plugged = sum(one.plugged_size for one in self.layout.devices)
        return (
            f"{used:,} of {count:,} {'memslot' if count == 1 else 'memslots'} mapped, "
            f"{shown_size(plugged)} plugged ({self.layout.rules})"
        )

    def say(self, details: str) -> None:
        """Say in a saved picture what it is of: settings and verdict."""
        self._heading.describe(details)

    def describe(self) -> str:
        """Return what the map shows in words: one line for the VM and one for each device."""
        layout = self.layout
        if layout is None:
            return NOT_STARTED
        ram = " and ".join(f"{shown_size(one.size)} at {one.start:#x}" for one in layout.ram)
        lines = [f"Boot RAM: {ram}."]
        if layout.size:
            lines.append(f"Device memory: {shown_size(layout.size)} at {layout.base:#x}.")
        if notice := self._notice():
            lines.append(notice)
        lines.extend(_described(one) for one in layout.devices)
        return "\n".join(lines)


def _described(device: DeviceLayout) -> str:
    decision = device.decision
    slots = "memslot" if decision.count == 1 else "memslots"
    text = (
        f"{device.id} ({device.type}, {shown_size(device.size)} at {device.start:#x}): "
        f"{decision.count:,} {slots} of {shown_size(decision.memslot_size)}, {device.used:,} mapped "
        f"({shown_size(device.mapped_size)})"
    )
    if device.type != "virtio-mem":
        return f"{text}."
    columns = memslot_columns(device)
    plugged, size = columns.plugged[columns.mapped], columns.size[columns.mapped]
    full, empty = int((plugged == size).sum()), int((plugged == 0).sum())
    kinds = {"full": full, "partly plugged": device.used - full - empty, "empty": empty}
    split = ", ".join(f"{number:,} {name}" for name, number in kinds.items() if number)
    return (
        f"{text}{': ' if split else ''}{split}; {shown_size(device.plugged_size)} plugged, "
        f"{shown_size(device.requested_size)} requested, {shown_size(device.usable_region_size)} usable."
    )


def _boxes(**more: Any) -> Quad:
    return Quad(**_BOXES, **styled(**more))
