"""How charts look: colours, hatches and fonts for light and dark pages.

Colours are Okabe and Ito's (Color Universal Design, 2008), which stay apart for every kind of colour vision, some of
them darker so that they stand out from white; a hatch or a dash says the same a second time. Backgrounds are
transparent: the page's shows through.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from bokeh.core.properties import value
from bokeh.models import (
    BoxZoomTool,
    CDSView,
    ColumnDataSource,
    GroupFilter,
    HBar,
    HoverTool,
    PanTool,
    Quad,
    ResetTool,
    Tool,
    WheelZoomTool,
    ZoomInTool,
    ZoomOutTool,
)
from bokeh.models.annotations import Legend, Title
from bokeh.models.glyph import Glyph
from bokeh.plotting import figure

from workbook.lib.errors import BadInput

from .saving import save_tools

if TYPE_CHECKING:
    # generic for type checkers only
    from bokeh.models.renderers import GlyphRenderer

__all__ = (
    "FONT",
    "HATCH",
    "LARGE",
    "NORMAL",
    "PLAIN_FONT",
    "SMALL",
    "THEMES",
    "Look",
    "Theme",
    "ThemeName",
    "draw",
    "draw_hatches",
    "hover",
    "painted",
    "styled",
    "text_style",
    "theme_of",
    "zoom_tools",
)

ThemeName = Literal["light", "dark"]
FONT: Final = "system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
PLAIN_FONT: Final = FONT.replace("'", "")
"""The same without quotes, for style attributes."""
SMALL: Final = "11px"
NORMAL: Final = "12px"
LARGE: Final = "14px"
_HOVER_NAME, _HOVER_TEXT = "#5A6068", "#1A1C1F"  # Bokeh's hover box is white on every page
HATCH: Final[dict[str, Any]] = {"hatch_alpha": 0.45, "hatch_scale": 7.0}


@dataclass(frozen=True, slots=True)
class Look:
    """How one kind of thing is drawn: colour, pattern over it, and text on it.

    Attributes
    ----------
    fill
        Colour of the area.
    line
        Colour of the border.
    hatch
        Bokeh hatch pattern; a blank for none.
    text
        Colour of text on the area.
    """

    fill: str
    line: str
    text: str
    hatch: str = " "


@dataclass(frozen=True)
class Theme:
    """Colours for one kind of page.

    Attributes
    ----------
    page
        The background that the colours are meant for; charts do not paint it.
    text, muted, faint
        Text, less important text and axes, grid lines.
    series
        Colours of curves, in order.
    looks
        Name of a role -> how it is drawn.
    """

    name: ThemeName
    page: str
    text: str
    muted: str
    faint: str
    accent: str
    alarm: str
    series: tuple[str, ...]
    looks: dict[str, Look]

    def look(self, role: str) -> Look:
        """Return how things in that role are drawn."""
        return self.looks[role]

    def columns(self, roles: Sequence[str]) -> dict[str, list[str]]:
        """Return the style columns of a data source, one row for each role."""
        looks = [self.looks[role] for role in roles]
        return {
            "fill": [one.fill for one in looks],
            "line": [one.line for one in looks],
        }

    def title(self, text: str = "") -> Title:
        """Return a figure's title."""
        return Title(text=text, text_font=FONT, text_font_size=LARGE, text_color=self.text, text_font_style="bold")

    def figure(self, *, title: Title | str = "", tools: Sequence[Tool] = (), saved_as: str = "", **more: Any) -> figure:
        """Return a figure without anything drawn in it, as wide as its page and without a background of its own.

        Parameters
        ----------
        saved_as
            Name of the files that it can be saved as; empty: no button for that.
        """
        plot = figure(
            title=self.title(title) if isinstance(title, str) else title,
            sizing_mode="stretch_width",
            min_width=240,
            tools=list(tools),
            background_fill_color=None,
            border_fill_color=None,
            outline_line_color=None,
            # Bokeh's own hints are dark text on white, on every page
            styles={"--bokeh-icon-color": self.muted, "color": _HOVER_TEXT},
            **more,
        )
        plot.toolbar.logo = None
        if saved_as:
            plot.add_tools(*save_tools(plot, saved_as, page=self.page, color=self.muted))
        for axis in plot.axis:
            axis.axis_line_color = axis.major_tick_line_color = self.muted
            axis.minor_tick_line_color = None
            axis.axis_label_text_color = axis.major_label_text_color = self.text
            axis.axis_label_text_font = axis.major_label_text_font = FONT
            axis.major_label_text_font_size, axis.axis_label_text_font_size = SMALL, NORMAL
            axis.axis_label_text_font_style = "normal"
        for grid in plot.grid:
            grid.grid_line_color = self.faint
        return plot

    def dress_legend(self, legend: Legend) -> Legend:
        """Make a legend look like the rest."""
        legend.update(
            label_text_font=FONT,
            label_text_font_size=SMALL,
            label_text_color=self.text,
            background_fill_color=None,
            border_line_color=None,
            inactive_fill_color=self.page,
            inactive_fill_alpha=0.7,
            margin=4,
            padding=2,
            spacing=10,
            label_standoff=6,
            glyph_width=18,
            glyph_height=14,
        )
        return legend


def zoom_tools(dimensions: Literal["width", "both"]) -> list[Tool]:
    """Return tools to move and zoom; the wheel alone scrolls the page, with Ctrl it zooms.

    All but the wheel can be reached by keyboard: the toolbar's buttons take the focus.
    """
    return [
        PanTool(dimensions=dimensions),
        WheelZoomTool(dimensions=dimensions, modifiers="ctrl", description="Zoom by Ctrl and wheel"),
        BoxZoomTool(dimensions=dimensions),
        ZoomInTool(dimensions=dimensions, factor=0.3),
        ZoomOutTool(dimensions=dimensions, factor=0.3),
        ResetTool(),
    ]


def text_style(**more: Any) -> dict[str, Any]:
    """Return the properties of a text glyph in the charts' font, vertically centred; `more` goes on top."""
    return {"text_font": value(FONT), "text_font_size": SMALL, "text_baseline": "middle", **more}


def painted(look: Look) -> dict[str, Any]:
    """Return the properties of an area glyph that is drawn like that."""
    colours = {"fill_color": look.fill, "line_color": look.line, "hatch_color": look.line}
    return {**HATCH, **colours, "hatch_pattern": look.hatch}


def styled(**more: Any) -> dict[str, Any]:
    """Return the properties of an area glyph whose style is in the columns of `Theme.columns`; `more` goes on top.

    Without a hatch: `draw_hatches` draws those.
    """
    return {"fill_color": "fill", "line_color": "line", **more}


def hover(rows: Sequence[tuple[str, str]], **more: Any) -> HoverTool:
    """Return a hover tool that shows name/value rows; long values are wrapped."""
    cell = "padding:1px 8px 1px 0;vertical-align:top"
    body = "".join(
        f"<tr><th scope='row' style='{cell};text-align:left;font-weight:400;color:{_HOVER_NAME}'>{name}</th>"
        f"<td style='{cell};color:{_HOVER_TEXT}'>{shown}</td></tr>"
        for name, shown in rows
    )
    font = f"{NORMAL} {PLAIN_FONT}"
    table = f"<table style='max-width:360px;font:{font};border-collapse:collapse'>{body}</table>"
    return HoverTool(tooltips=table, show_arrow=False, visible=False, **more)


def draw(plot: figure, source: ColumnDataSource, glyph: Glyph, **more: Any) -> "GlyphRenderer[Any]":
    """Add a glyph that is never selected or muted, as all are here.

    For each of these looks Bokeh otherwise prepares a copy with every new data: texts are measured and hatches painted
    again, which takes longer than drawing them.
    """
    bare = glyph.clone()
    for name, nothing in (("fill_color", None), ("line_color", None), ("hatch_pattern", None), ("text", value(""))):
        if name in bare.properties():
            setattr(bare, name, nothing)
    return plot.add_glyph(source, glyph, selection_glyph=bare, nonselection_glyph=bare, muted_glyph=bare, **more)


def draw_hatches(
    plot: figure,
    source: ColumnDataSource,
    area: type[Quad | HBar],
    place: Mapping[str, Any],
    looks: Mapping[str, Look],
) -> None:
    """Add the hatches of areas, by their column ``role``: one glyph for each role whose look has one.

    Of a hatch that varies from row to row Bokeh makes a canvas for every row.
    """
    for role, look in looks.items():
        if look.hatch != " ":
            hatch = area(**place, **{**painted(look), "fill_color": None, "line_color": None})
            draw(plot, source, hatch, view=CDSView(filter=GroupFilter(column_name="role", group=role)))


BLUE, SKY, YELLOW = "#0072B2", "#56B4E9", "#F0E442"
ORANGE, VERMILION, PURPLE, BLACK, WHITE = "#E69F00", "#D55E00", "#CC79A7", "#111111", "#FFFFFF"

_LIGHT: Final = Theme(
    name="light",
    page="#FFFFFF",
    text="#1A1C1F",
    muted="#5A6068",
    faint="#E3E6EA",
    accent=BLUE,
    alarm="#B3261E",
    series=(BLUE, VERMILION, "#00805E", "#B0528A", "#B77E00", BLACK, "#2E86B8", "#7A6A00"),
    looks={
        "ram": Look("#969CA5", "#5A6068", BLACK),
        "container": Look("#F4F5F7", "#8A919B", "#1A1C1F"),
        "device": Look("#DCE3EA", "#5A6068", "#1A1C1F"),
        "dimm": Look("#C9D3DD", "#5A6068", "#1A1C1F"),
        "unmapped": Look("#ECEEF1", "#B4BAC2", "#1A1C1F"),
        "empty": Look("#D6EAF8", BLUE, "#1A1C1F", hatch="."),
        "partly": Look(SKY, BLUE, BLACK, hatch="/"),
        "full": Look(BLUE, "#FFFFFF", WHITE),
        "plugged": Look("#00805E", "#00543E", WHITE),
        "requested": Look(VERMILION, VERMILION, BLACK),
        "usable": Look("#FFFFFF", VERMILION, "#1A1C1F", hatch="`"),
        "gap": Look("#F4F5F7", "#C3C8CE", "#1A1C1F", hatch="/"),
        "boot": Look("#8A919B", "#5A6068", BLACK),
        "used": Look(BLUE, "#00456B", WHITE),
        "reserved": Look(SKY, BLUE, BLACK, hatch="/"),
        "free": Look("#FFFFFF", "#9AA2AC", "#1A1C1F"),
        "over": Look(VERMILION, "#8A3C00", BLACK, hatch="x"),
        "del": Look(PURPLE, "#7A2F5B", BLACK, hatch="\\"),
        "add": Look("#00805E", "#00543E", WHITE),
        "nop": Look("#E3E6EA", "#8A919B", "#1A1C1F"),
    },
)

_DARK: Final = Theme(
    name="dark",
    page="#111417",
    text="#E8EAED",
    muted="#A4ABB3",
    faint="#30363D",
    accent=SKY,
    alarm="#FF8A80",
    series=(SKY, ORANGE, "#2FC79A", PURPLE, YELLOW, "#FF7F3F", "#E8EAED", "#3D9AD6"),
    looks={
        "ram": Look("#8A919B", "#C3C8CE", BLACK),
        "container": Look("#1B2025", "#7C848D", "#E8EAED"),
        "device": Look("#333C45", "#A4ABB3", "#E8EAED"),
        "dimm": Look("#46525D", "#A4ABB3", "#E8EAED"),
        "unmapped": Look("#272D33", "#59616A", "#E8EAED"),
        "empty": Look("#123247", SKY, "#E8EAED", hatch="."),
        "partly": Look("#1F6E9E", SKY, WHITE, hatch="/"),
        "full": Look(SKY, "#111417", BLACK),
        "plugged": Look("#2FC79A", "#9BE8CF", BLACK),
        "requested": Look(ORANGE, ORANGE, BLACK),
        "usable": Look("#111417", ORANGE, "#E8EAED", hatch="`"),
        "gap": Look("#1B2025", "#4A525B", "#E8EAED", hatch="/"),
        "boot": Look("#8A919B", "#C3C8CE", BLACK),
        "used": Look(SKY, "#C5E6FA", BLACK),
        "reserved": Look("#1F6E9E", SKY, WHITE, hatch="/"),
        "free": Look("#161A1E", "#6B737C", "#E8EAED"),
        "over": Look("#FF7F3F", "#FFC9A8", BLACK, hatch="x"),
        "del": Look(PURPLE, "#F3D3E4", BLACK, hatch="\\"),
        "add": Look("#2FC79A", "#9BE8CF", BLACK),
        "nop": Look("#30363D", "#7C848D", "#E8EAED"),
    },
)

THEMES: Final[dict[str, Theme]] = {"light": _LIGHT, "dark": _DARK}


def theme_of(name: str | Theme) -> Theme:
    """Return the theme of that name; a theme itself stays as it is.

    Raises
    ------
    BadInput
        It is neither ``light`` nor ``dark``.
    """
    if isinstance(name, Theme):
        return name
    if name not in THEMES:
        raise BadInput(f"there is no theme {name!r}: give light or dark")
    return THEMES[name]
