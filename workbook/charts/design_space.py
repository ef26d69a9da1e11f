"""The design space: heat maps over device size and memslot budget, one for each rule set, with a common pointer."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from bokeh.core.properties import value
from bokeh.layouts import column, row
from bokeh.models import (
    Axis,
    BasicTicker,
    ColumnDataSource,
    CustomJS,
    CustomJSTickFormatter,
    FixedTicker,
    HoverTool,
    Image,
    LinearColorMapper,
    LogColorMapper,
    LogTicker,
    NumeralTickFormatter,
    Quad,
    Range1d,
    Scatter,
    Segment,
)
from bokeh.models.annotations import ColorBar, Legend, LegendItem
from bokeh.models.widgets import Div
from bokeh.palettes import Cividis256
from bokeh.plotting import figure

from workbook.columns.design_space import flip_segments, runs
from workbook.columns.table import Columns
from workbook.columns.theme import (
    BLACK,
    BLUE,
    FONT,
    NORMAL,
    ORANGE,
    PURPLE,
    SKY,
    SMALL,
    VERMILION,
    WHITE,
    YELLOW,
    Look,
    ThemeName,
    theme_of,
)
from workbook.lib.errors import BadInput
from workbook.lib.size import shown_size
from workbook.lib.sweep.design_space import KINDS, ONE, QUANTITIES, SEVERAL, Axes, Floats, Panel, Quantity

from .axes.byte import SIZE_JS
from .drawing import HATCH, figure_in, legend_in, painted, title_in

__all__ = ("DesignSpace",)

NOTHING: Final = "No design space to draw."
_TITLES: Final[Mapping[Quantity, str]] = {
    "memslot size": "memslot size",
    "memslots": "memslots",
    "metadata saved": "metadata saved, %",
    "refusals": "result for the device",
}
_LOOKS: Final = (
    Look(BLUE, BLUE, WHITE),
    Look(SKY, BLACK, BLACK, hatch="/"),
    Look(ORANGE, BLACK, BLACK, hatch="+"),
    Look(PURPLE, BLACK, BLACK, hatch="-"),
    Look(VERMILION, BLACK, BLACK, hatch="x"),
    Look("#C9CDD2", BLACK, BLACK, hatch="."),
    Look(YELLOW, BLACK, BLACK, hatch="\\"),
)
"""How each of `KINDS` is drawn, on light and dark pages alike."""
_ONE_OF_MANY: Final = Look("#7A828B", WHITE, WHITE, hatch="/")
"""One memslot where colours show a quantity: the hatch lies over them, so this grey is seen in the legend only."""
_NONE: Final = "#00000000"
_TICKS: Final = 14
"""Labels along the x axes of all maps together."""
_POINT_JS: Final = """
const [i, j] = [Math.floor(cb_data.geometry.x), Math.floor(cb_data.geometry.y)]
const [x, y] = [across.data.text, upwards.data.text]
if (!(i >= 0 && j >= 0 && i < x.length && j < y.length)) return
pointer.data = {x: [i + 0.5], y: [j + 0.5]}
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
const rows = names.map((name, k) => `<tr><th>${plain(name.text)}</th><td>${words.data[k][j * x.length + i]}</td></tr>`)
pane.text = `<b>${x[i]}, ${y[j]}</b><table>${rows.join("")}</table>`
"""


class DesignSpace:
    """Heat maps of one quantity, side by side, over device size and the memslots of a vhost back end.

    Hatched cells have one memslot or are refused; thick lines are where that flips, thin lines where the quantity
    passes a power of two, or 10 %. What every map says of the cell under the pointer stands below.

    Parameters
    ----------
    quantity
        What the colours show; one of `QUANTITIES`.
    panels
        How many maps.
    height
        Of the maps, pixels.
    theme
        ``light`` or ``dark``.

    Attributes
    ----------
    root
        What to embed (needs Bokeh's component ``bokeh-widgets``).
    figures
        The maps.
    images, boxes, flips, contours
        The data sources of each map: values, hatched cells, thick and thin lines; all in cells.
    pointer, words
        The cell that is explained, and the words for all cells, one column for each map.

    Raises
    ------
    BadInput
        An unknown quantity, or no maps.
    """

    def __init__(self, quantity: Quantity, *, panels: int = 2, height: int = 340, theme: ThemeName = "light") -> None:
        if quantity not in QUANTITIES or panels < 1:
            raise BadInput(f"{panels} maps of {quantity!r}: give 1 or more maps of {', '.join(QUANTITIES)}")
        self.theme, self.quantity = theme_of(theme), quantity
        self.axes = Axes((), ())
        self.panels: tuple[Panel, ...] = ()
        numbers = range(panels)
        self.images = [ColumnDataSource({"image": [], "dw": [], "dh": []}) for _ in numbers]
        self._kind_images = [ColumnDataSource({"image": [], "dw": [], "dh": []}) for _ in numbers]
        self.boxes = [ColumnDataSource(self._hatched(np.zeros((0, 0), np.uint8))) for _ in numbers]
        self.flips, self.contours = (
            [ColumnDataSource({"x0": [], "y0": [], "x1": [], "y1": []}) for _ in numbers] for _ in range(2)
        )
        self.pointer = ColumnDataSource({"x": [], "y": []})
        self.words = ColumnDataSource({str(number): [] for number in numbers})
        self._across, self._upwards = (ColumnDataSource({"text": []}) for _ in range(2))
        self._ranges = Range1d(start=0, end=1), Range1d(start=0, end=1)
        self._looks = _LOOKS if quantity == "refusals" else (_LOOKS[SEVERAL], _ONE_OF_MANY, *_LOOKS[ONE + 1 :])
        self._mapper = _mapper(quantity)
        self._titles = [title_in(self.theme, " ") for _ in numbers]
        self.figures = [self._map(number, height) for number in numbers]
        self._pane = Div(
            text=NOTHING, sizing_mode="stretch_width", min_height=28 + 36 * panels, stylesheets=[self._css()]
        )
        self._explain_under_pointer()
        self._legend = legend_in(self.theme, Legend(items=[], orientation="horizontal", location="top_left"))
        maps = row(*self.figures, sizing_mode="stretch_width")
        self.root = column(maps, self._key(), self._pane, sizing_mode="stretch_width")

    def update(self, axes: Axes, panels: Sequence[Panel]) -> None:
        """Show other maps, as many as there are figures.

        Raises
        ------
        BadInput
            Another number of maps, or one whose shape is not that of the axes.
        """
        shapes = {panel.values.shape for panel in panels}
        if len(panels) != len(self.figures) or shapes != {axes.shape}:
            raise BadInput(
                f"{len(panels)} maps of shapes {shapes} for {len(self.figures)} figures of {axes.shape} cells"
            )
        self.axes, self.panels = axes, tuple(panels)
        rows, columns = axes.shape
        self._ranges[0].update(end=columns, bounds=(0, columns))
        self._ranges[1].update(end=rows, bounds=(0, rows))
        values = np.stack([panel.values for panel in panels])
        if self.quantity != "refusals" and np.isfinite(values).any():
            self._mapper.update(low=float(np.nanmin(values)), high=float(np.nanmax(values)))
        for number, panel in enumerate(panels):
            shown = np.full_like(panel.values, np.nan) if self.quantity == "refusals" else panel.values
            self._titles[number].text = panel.name
            self.images[number].data = {"image": [shown], "dw": [columns], "dh": [rows]}
            self._kind_images[number].data = {"image": [panel.kinds], "dw": [columns], "dh": [rows]}
            self.boxes[number].data = self._hatched(panel.kinds)
            self.flips[number].data = flip_segments(panel.kinds)
            self.contours[number].data = flip_segments(_levels(shown, self.quantity))
            sizes, limits = [shown_size(one) for one in axes.sizes], [f"{one:,}" for one in axes.limits]
            _label(self.figures[number].xaxis[0], sizes, axes.sizes, most=_TICKS // len(panels))
            _label(self.figures[number].yaxis[0], limits, axes.limits, most=_TICKS // 2)
        occurring = np.unique([panel.kinds for panel in panels]).tolist()
        self._legend.items = [
            item for kind, item in enumerate(self._kinds) if kind in occurring and kind in self._drawn
        ]
        self._across.data = {"text": [f"Device of {shown_size(one)}" for one in axes.sizes]}
        self._upwards.data = {"text": [f"back end with {one:,} memslots" for one in axes.limits]}
        self.words.data = {str(number): list(map(escape, panel.words)) for number, panel in enumerate(panels)}
        self._point_at(2 * columns // 3, rows // 2)

    def describe(self) -> str:
        """Return one line for each map: how much of it is of which kind, and the range of the quantity."""
        lines = []
        for panel in self.panels:
            shares = [(panel.share(kind), words) for kind, words in enumerate(KINDS)]
            kinds = ", ".join(f"{words} {100 * share:.1f} %" for share, words in shares if share)
            lines.append(f"{panel.name}: {kinds}{self._extent(panel.values)}.")
        return "\n".join(lines) or NOTHING

    def _extent(self, values: Floats) -> str:
        if self.quantity == "refusals" or not np.isfinite(values).any():
            return ""
        least, most = float(np.nanmin(values)), float(np.nanmax(values))
        if self.quantity == "memslot size":
            return f"; memslots of {shown_size(int(least))} to {shown_size(int(most))}"
        if self.quantity == "memslots":
            return f"; {int(least):,} to {int(most):,} memslots"
        return f"; {least:.1f} % to {most:.1f} % saved, {float(np.nanmean(values)):.1f} % on average over the cells"

    @property
    def _drawn(self) -> range:
        """Kinds that have a look of their own; elsewhere several memslots are what the colours are for."""
        return range(SEVERAL if self.quantity == "refusals" else SEVERAL + 1, len(KINDS))

    def _hatched(self, kinds: npt.NDArray[np.uint8]) -> Columns:
        boxes = runs(kinds, self._drawn)
        looks = [self._looks[kind] for kind in boxes.pop("kind")]
        return {**boxes, "hatch": [one.hatch for one in looks], "line": [one.line for one in looks]}

    def _map(self, number: int, height: int) -> figure:
        x_range, y_range = self._ranges
        plot = figure_in(
            self.theme,
            height=height,
            saved_as=f"design-space-{number + 1}",
            x_range=x_range,
            y_range=y_range,
            title=self._titles[number],
        )
        plot.grid.visible = False
        plot.toolbar_location = "above"
        plot.xaxis.axis_label = "device size"
        if number == 0:
            plot.yaxis.axis_label = "memslots of the vhost back end"
        image = Image(image="image", x=0, y=0, dw="dw", dh="dh", color_mapper=self._mapper)
        plot.add_glyph(self.images[number], image)
        colors = [look.fill for look in self._looks]
        if self.quantity != "refusals":
            colors[SEVERAL] = colors[ONE] = _NONE
        kinds = LinearColorMapper(palette=colors, low=-0.5, high=len(colors) - 0.5)
        plot.add_glyph(self._kind_images[number], Image(image="image", x=0, y=0, dw="dw", dh="dh", color_mapper=kinds))
        plot.add_glyph(self.boxes[number], Quad(left="left", right="right", bottom="bottom", top="top", **_HATCHED))
        thin = Segment(x0="x0", y0="y0", x1="x1", y1="y1", line_color=WHITE, line_alpha=0.55, line_width=1)
        plot.add_glyph(self.contours[number], thin)
        for color, width in ((WHITE, 4.5), (BLACK, 2)):
            thick = Segment(x0="x0", y0="y0", x1="x1", y1="y1", line_color=color, line_width=width, line_cap="square")
            plot.add_glyph(self.flips[number], thick)
        for color, size in ((BLACK, 15), (WHITE, 12)):
            mark = Scatter(x="x", y="y", marker="square", size=size, fill_color=None, line_color=color, line_width=2)
            plot.add_glyph(self.pointer, mark)
        return plot

    def _explain_under_pointer(self) -> None:
        """Let every map say below what it decides where the pointer is, without a kernel."""
        for plot in self.figures:
            code = CustomJS(
                args={
                    "pointer": self.pointer,
                    "words": self.words,
                    "across": self._across,
                    "upwards": self._upwards,
                    "names": self._titles,
                    "pane": self._pane,
                },
                code=_POINT_JS,
            )
            plot.add_tools(HoverTool(tooltips=None, callback=code, visible=False))

    def _point_at(self, column_at: int, row_at: int) -> None:
        self.pointer.data = {"x": [column_at + 0.5], "y": [row_at + 0.5]}
        at = row_at * self.axes.shape[1] + column_at
        rows = "".join(
            f"<tr><th>{escape(panel.name)}</th><td>{escape(panel.words[at])}</td></tr>" for panel in self.panels
        )
        where = f"{self._across.data['text'][column_at]}, {self._upwards.data['text'][row_at]}"
        self._pane.text = f"<b>{where}</b><table>{rows}</table>"

    def _css(self) -> str:
        return (
            f":host {{ color: {self.theme.text}; font: {NORMAL} {FONT}; padding: 6px 8px }}"
            "th { text-align: left; vertical-align: top; white-space: nowrap; padding-right: 12px }"
            "td { text-align: left }"
        )

    def _key(self) -> figure:
        """Return a strip with the colour bar and what the hatches mean, once for all maps."""
        colored = self.quantity != "refusals"
        unit = Range1d(start=0, end=1)
        strip = figure_in(self.theme, height=78 if colored else 32, toolbar_location=None, x_range=unit, y_range=unit)
        strip.min_border_left = strip.min_border_right = 44
        strip.axis.visible = strip.grid.visible = False
        outside = ColumnDataSource({"at": [-9.0]})
        self._kinds = [
            LegendItem(
                label=value(words),
                renderers=[
                    strip.add_glyph(outside, Quad(left="at", right="at", bottom="at", top="at", **painted(look)))
                ],
            )
            for words, look in zip(KINDS, self._looks, strict=True)
        ]
        strip.add_layout(self._legend, "below")
        if colored:
            strip.add_layout(self._color_bar(), "above")
        return strip

    def _color_bar(self) -> ColorBar:
        log = isinstance(self._mapper, LogColorMapper)
        bar = ColorBar(
            color_mapper=self._mapper,
            title=_TITLES[self.quantity],
            orientation="horizontal",
            height=10,
            ticker=LogTicker(base=2, mantissas=[1]) if log else BasicTicker(),
            background_fill_color=None,
            bar_line_color=None,
            major_tick_line_color=None,
            title_text_font=FONT,
            title_text_font_size=NORMAL,
            title_text_font_style="normal",
            title_text_color=self.theme.text,
            major_label_text_font=FONT,
            major_label_text_font_size=SMALL,
            major_label_text_color=self.theme.text,
        )
        if self.quantity == "memslot size":
            bar.formatter = CustomJSTickFormatter(code=SIZE_JS + "return size(tick)")
        else:
            bar.formatter = NumeralTickFormatter(format="0,0")
        return bar


_HATCHED: Final[dict[str, Any]] = {
    **HATCH,
    "fill_color": None,
    "line_color": None,
    "hatch_pattern": "hatch",
    "hatch_color": "line",
}


def _mapper(quantity: Quantity) -> LogColorMapper | LinearColorMapper:
    """Return the colours: Cividis looks the same with and without a colour vision deficiency."""
    kind = LinearColorMapper if quantity in ("metadata saved", "refusals") else LogColorMapper
    return kind(palette=Cividis256, low=1, high=2, nan_color="rgba(0, 0, 0, 0)")


def _levels(values: Floats, quantity: Quantity) -> npt.NDArray[np.int64]:
    """Return between which two contour lines each value lies."""
    known = np.where(np.isfinite(values), values, 1)
    levels = np.floor(known / 10) if quantity == "metadata saved" else np.floor(np.log2(np.maximum(known, 1)))
    return levels.astype(np.int64)


def _label(axis: Axis, texts: Sequence[str], values: Sequence[int], *, most: int) -> None:
    """Label the middles of the cells that stand for powers of two, as many as fit."""
    found = [index for index, one in enumerate(values) if one & (one - 1) == 0] or list(range(len(values)))
    shown = found[:: -(-len(found) // max(most, 1))]
    axis.ticker = FixedTicker(ticks=[index + 0.5 for index in shown])
    axis.major_label_overrides = {index + 0.5: texts[index] for index in shown}
