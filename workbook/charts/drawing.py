"""Figures, legends and glyphs of Bokeh in a theme."""

from collections.abc import Mapping, Sequence
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

from workbook.columns.theme import FONT, LARGE, NORMAL, PLAIN_FONT, SMALL, Look, Theme

from .saving import save_tools

if TYPE_CHECKING:
    # generic for type checkers only
    from bokeh.models.renderers import GlyphRenderer

__all__ = (
    "HATCH",
    "draw",
    "draw_hatches",
    "figure_in",
    "hover",
    "legend_in",
    "painted",
    "styled",
    "text_style",
    "title_in",
    "zoom_tools",
)

_HOVER_NAME, _HOVER_TEXT = "#5A6068", "#1A1C1F"  # Bokeh's hover box is white on every page
HATCH: Final[dict[str, Any]] = {"hatch_alpha": 0.45, "hatch_scale": 7.0}


def title_in(theme: Theme, text: str = "") -> Title:
    """Return a figure's title."""
    return Title(text=text, text_font=FONT, text_font_size=LARGE, text_color=theme.text, text_font_style="bold")


def figure_in(
    theme: Theme, *, title: Title | str = "", tools: Sequence[Tool] = (), saved_as: str = "", **more: Any
) -> figure:
    """Return a figure without anything drawn in it, as wide as its page and without a background of its own.

    Parameters
    ----------
    saved_as
        Name of the files that it can be saved as; empty: no button for that.
    """
    plot = figure(
        title=title_in(theme, title) if isinstance(title, str) else title,
        sizing_mode="stretch_width",
        min_width=240,
        tools=list(tools),
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        # Bokeh's own hints are dark text on white, on every page
        styles={"--bokeh-icon-color": theme.muted, "color": _HOVER_TEXT},
        **more,
    )
    plot.toolbar.logo = None
    if saved_as:
        plot.add_tools(*save_tools(plot, saved_as, page=theme.page))
    for axis in plot.axis:
        axis.axis_line_color = axis.major_tick_line_color = theme.muted
        axis.minor_tick_line_color = None
        axis.axis_label_text_color = axis.major_label_text_color = theme.text
        axis.axis_label_text_font = axis.major_label_text_font = FONT
        axis.major_label_text_font_size, axis.axis_label_text_font_size = SMALL, NORMAL
        axis.axis_label_text_font_style = "normal"
    for grid in plot.grid:
        grid.grid_line_color = theme.faint
    return plot


def legend_in(theme: Theme, legend: Legend) -> Legend:
    """Make a legend look like the rest."""
    legend.update(
        label_text_font=FONT,
        label_text_font_size=SMALL,
        label_text_color=theme.text,
        background_fill_color=None,
        border_line_color=None,
        inactive_fill_color=theme.page,
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
