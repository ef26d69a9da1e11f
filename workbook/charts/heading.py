"""A figure's title and legend as HTML above it.

Text outside the canvas wraps on a narrow page, is found by screen readers, and is not painted again with every new
data, which takes longer than most data. A picture that is saved has both inside.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from html import escape
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final

from bokeh.core.properties import value
from bokeh.models import ColumnDataSource, Quad, Tool
from bokeh.models.annotations import Legend, LegendItem, Title
from bokeh.models.dom import HTML
from bokeh.models.ui import Pane
from bokeh.plotting import figure

from workbook.columns.theme import FONT, LARGE, NORMAL, PLAIN_FONT, SMALL, Look, Theme

from .drawing import draw, legend_in, painted, title_in
from .saving import save_tools

if TYPE_CHECKING:
    # generic for type checkers only
    from bokeh.models.renderers import GlyphRenderer

__all__ = ("Heading",)

_STRIPES: Final = "repeating-linear-gradient({angle}deg, {line} 0 1px, transparent 1px {gap}px)"
_SWATCHES: Final = {
    "/": ((-45, 4),),
    "\\": ((45, 4),),
    "`": ((45, 6),),
    "x": ((45, 5), (-45, 5)),
    "+": ((0, 5), (90, 5)),
    "-": ((0, 4),),
}
"""Angles and widths of CSS stripes that look like Bokeh's hatches; every other hatch is dots."""

_TOOL: Final = 30
_MENU: Final = 44
"""Pixels of a tool's button in BokehJS (above), and of the menu and the dividers beside them."""


class Heading:
    """Title and legend of one figure.

    Parameters
    ----------
    plot
        The figure; it gets buttons that save it.
    theme
        Colours of text.
    saved_as
        Name of the files.

    compact
        Title and legend share a line, with the figure's tools at its end: a low figure has no room for them at its
        side, and hides those that do not fit.

    Attributes
    ----------
    root
        What to put above the figure.
    """

    def __init__(
        self,
        plot: figure,
        theme: Theme,
        saved_as: str,
        title: str = "",
        looks: Mapping[str, Look] | None = None,
        *,
        compact: bool = False,
    ) -> None:
        self._plot, self._theme, self._compact = plot, theme, compact
        self._looks: dict[str, Look] = {}
        self._samples: list[GlyphRenderer[Any]] = []
        self._title = title_in(theme)
        self._title.visible = False
        plot.title = self._title
        self._details = Title(text="", text_font=FONT, text_font_size=SMALL, text_color=theme.muted, visible=False)
        self._details.text_font_style = "normal"
        plot.add_layout(self._details, "above")
        self._legend = legend_in(theme, Legend(items=[], orientation="horizontal", location="top_left"))
        # hidden, not added when it is needed: a figure cannot take parts in while it is shown
        self._legend.visible = False
        plot.add_layout(self._legend, "above")
        plot.add_tools(*save_tools(plot, saved_as, page=theme.page, legend=self._legend, details=self._details))
        self._html = HTML(html="")
        styles: dict[str, str | None] = {"padding": "6px 4px 2px"}
        if compact:
            plot.toolbar_location = "above"
            # else it is as wide as its buttons, keeps room for a menu of those that do not fit, and has one
            shown = sum(isinstance(one, Tool) and one.visible for one in plot.toolbar.tools)
            width = _TOOL * shown + _MENU
            plot.toolbar.styles = {"min-width": f"{width}px"}
            # over the row of the tools, and clicks go through
            styles = {"padding": f"2px {width}px 2px 4px", "margin-bottom": f"-{_TOOL}px", "pointer-events": "none"}
            styles |= {"position": "relative", "z-index": "1", "min-height": f"{_TOOL}px", "box-sizing": "border-box"}
        self.root = Pane(elements=[self._html], styles=styles)
        self.update(title, looks or {})

    def describe(self, details: str) -> None:
        """Say what a saved picture is of: settings and verdict, which stand beside it on the page."""
        self._details.text = _wrapped(details)

    def update(
        self, title: str, looks: Mapping[str, Look] | None = None, present: Collection[str] | None = None
    ) -> None:
        """Show another title, and another legend (words -> how it is drawn) where one is given.

        Parameters
        ----------
        present
            The entries to show above the figure; None for all. A saved picture has all of them.
        """
        if looks is not None and looks != self._looks:
            self._looks = dict(looks)
            self._plot.renderers = [one for one in self._plot.renderers if one not in self._samples]
            self._samples = _samples(self._plot, looks.values())
            pairs = zip(looks, self._samples, strict=True)
            self._legend.items = [LegendItem(label=value(words), renderers=[one]) for words, one in pairs]
        self._title.text = title
        shown = {words: look for words, look in self._looks.items() if present is None or words in present}
        self._html.html = _html(title, shown, self._theme, compact=self._compact)


@lru_cache(maxsize=64)
def _wrapped(details: str) -> str:
    """Return the same lines for the same text: all charts of an outcome say it."""
    return fill(details, 96)


def _samples(plot: figure, looks: Iterable[Look]) -> "list[GlyphRenderer[Any]]":
    """Return hidden glyphs out of sight, one for each entry of a legend."""
    outside = ColumnDataSource({"at": [-1e9]})
    at: dict[str, Any] = dict.fromkeys(("left", "right", "bottom", "top"), "at")
    return [draw(plot, outside, Quad(**at, **painted(look)), visible=False) for look in looks]


def _html(title: str, looks: Mapping[str, Look], theme: Theme, *, compact: bool) -> str:
    entry = "display:inline-flex;align-items:center;gap:5px;white-space:nowrap"
    entries = "".join(
        f"<span style='{entry}'><span aria-hidden='true' style='{_swatch(look)}'></span>{escape(words)}</span>"
        for words, look in looks.items()
    )
    if compact:
        heading = f"<b style='font-size:{NORMAL};white-space:nowrap'>{escape(title)}</b>"
        row = "display:flex;flex-wrap:wrap;align-items:center;gap:0 10px"
        return f"<div style='color:{theme.text};font:{SMALL}/1.35 {PLAIN_FONT};{row}'>{heading}{entries}</div>"
    return (
        f"<div style='color:{theme.text};font:{SMALL}/1.35 {PLAIN_FONT}'>"
        f"<div style='font-size:{LARGE};font-weight:700;margin-bottom:3px'>{escape(title)}</div>"
        f"<div style='display:flex;flex-wrap:wrap;gap:2px 14px'>{entries}</div></div>"
    )


@lru_cache(maxsize=256)
def _swatch(look: Look) -> str:
    stripes = [_STRIPES.format(angle=angle, gap=gap, line=look.line) for angle, gap in _SWATCHES.get(look.hatch, ())]
    if look.hatch != " " and not stripes:
        stripes = [f"radial-gradient({look.line} 1px, transparent 1.3px) 0 0/4px 4px"]
    background = ",".join([*stripes, f"linear-gradient({look.fill}, {look.fill})"])
    return f"width:14px;height:11px;border:1px solid {look.line};box-sizing:border-box;background:{background}"
