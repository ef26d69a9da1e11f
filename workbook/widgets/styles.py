"""How the explorer's parts look where ipywidgets leaves it open: compact tables, whole labels, visible focus.

Colours are JupyterLab's own, so that they follow its theme.
"""

from typing import Final

import ipywidgets as widgets

__all__ = ("ALERT", "style_sheet", "styled")

ALERT: Final = "color:var(--jp-error-color1, #b3261e);line-height:1.4;padding:2px 0"
_CSS: Final = r"""
.memslots .widget-html-content { line-height: 1.4; }
.memslots a { color: var(--jp-content-link-color, #0072b2); text-decoration: underline; }
.memslots-table table { border-collapse: collapse; line-height: 1.35; margin: 2px 0 8px; }
.memslots-table th, .memslots-table td { padding: 1px 14px 1px 0; vertical-align: top; max-width: 340px; }
.memslots-table th:first-child, .memslots-table td:first-child { white-space: nowrap; }
.memslots-table tbody tr { border-top: 1px solid var(--jp-border-color2, #e0e0e0); }
.memslots-table tr[aria-current] { font-weight: 600; background: var(--jp-layout-color2, #eee); }
.memslots-verdict { height: 42px; overflow: auto; }
.memslots-verdict .widget-html-content { line-height: 1.3; }
.memslots-complaint .widget-html-content:empty { display: none; }
.memslots-pasted { max-height: 132px; overflow: auto; }
.memslots .notes { margin: 0; padding-left: 16px; line-height: 1.3; }
.memslots-tiles { overflow: hidden; }
.memslots-tiles .row { display: flex; justify-content: space-between; gap: 14px; line-height: 1.2; height: 46px; }
.memslots-tiles :is(b, span, small) { display: block; white-space: nowrap; font-size: 11px; }
.memslots-tiles .row > div { flex: 1 1 0; min-width: 0; overflow: hidden; }
.memslots-tiles .row > .side { flex: 0 0 18px; }
.memslots-tiles div > b { font-size: 16px; font-variant-numeric: tabular-nums; }
.memslots-tiles small { color: var(--jp-ui-font-color2, #555); }
.memslots-stale { opacity: .35; filter: grayscale(1); }
.memslots :is(button, select, input, input[type], pre, a, summary):focus-visible {
    outline: 2px solid var(--jp-brand-color1, #0072b2) !important; outline-offset: 1px; }
"""


def style_sheet() -> widgets.HTML:
    """Return the style sheet as a widget that takes no room."""
    return widgets.HTML(f"<style>{_CSS}</style>", layout=widgets.Layout(display="none"))


def styled(widget: widgets.DOMWidget, name: str) -> widgets.DOMWidget:
    """Give a widget one of the looks above, by its name (``tiles``, ``table`` ...), or all, by ``""``."""
    widget.add_class(f"memslots-{name}" if name else "memslots")
    return widget
