"""How the explorer's parts look where ipywidgets leaves it open: compact tables, whole labels, visible focus.

Colours are JupyterLab's own, so that they follow its theme.
"""

from typing import Final

import ipywidgets as widgets

__all__ = ("ALERT", "style_sheet", "styled")

ALERT: Final = "color:var(--jp-error-color1, #b3261e);line-height:1.4;padding:2px 0"
_CSS: Final = r"""
.memslots .widget-html-content { line-height: 1.4; }
.memslots h3 { margin: 4px 0; }
.memslots a { color: var(--jp-content-link-color, #0072b2); text-decoration: underline; }
.memslots-table table { border-collapse: collapse; line-height: 1.35; margin: 2px 0 8px; }
.memslots-table th, .memslots-table td { padding: 1px 14px 1px 0; vertical-align: top; max-width: 340px; }
.memslots-table th:first-child, .memslots-table td:first-child { white-space: nowrap; }
.memslots-table tbody tr { border-top: 1px solid var(--jp-border-color2, #e0e0e0); }
.memslots-table tr[aria-current] { font-weight: 600; background: var(--jp-layout-color2, #eee); }
.memslots-differs .widget-label, .memslots-differs.widget-checkbox label {
    color: var(--jp-brand-color1, #0072b2); }
.memslots-differs .widget-label::before, .memslots-differs.widget-checkbox label span::before { content: "\2260\00a0"; }
.memslots-advice { min-height: 32px; height: 32px; overflow: auto hidden; flex-wrap: nowrap; }
.memslots-advice button { flex: 0 0 auto; height: 26px; white-space: nowrap; padding: 2px 10px; }
.memslots-verdict { height: 40px; overflow: auto; }
.memslots-decides { height: 24px; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
.memslots-tiles { height: 54px; overflow: hidden; }
.memslots-tiles .widget-html-content { display: flex; justify-content: space-between; gap: 14px; line-height: 1.25; }
.memslots-tiles :is(b, span, small) { display: block; white-space: nowrap; font-size: 11px; }
.memslots-tiles div > b { font-size: 16px; font-variant-numeric: tabular-nums; }
.memslots-tiles small { color: var(--jp-ui-font-color2, #555); }
.memslots-stale { opacity: .35; filter: grayscale(1); }
.memslots-slider { position: relative; height: 50px; overflow: hidden; }
.memslots-slider > .widget-slider { display: block; flex: 1 1 100%; width: 100% !important; height: 50px; margin: 0; }
.memslots-slider > .widget-slider > .widget-label { display: block; width: auto; text-align: left; height: 24px; }
.memslots-slider > .widget-slider .slider-container { margin: 2px 12px 0; height: 22px; }
.memslots-slider > .widget-text { position: absolute; right: 0; top: 0; height: 24px; margin: 0; }
.memslots-slider > .widget-text input { height: 22px; text-align: right; }
.memslots-buttons { flex-flow: row wrap; }
.memslots-tabs > .lm-TabBar, .memslots-tabs > .lm-TabBar > .lm-TabBar-content { overflow: visible; flex-wrap: wrap; }
.memslots-tabs > .lm-TabBar .lm-TabBar-tab.lm-TabBar-tab { flex: 0 0 auto; min-width: 0; }
.memslots-tabs .lm-TabBar-tabLabel.lm-TabBar-tabLabel { overflow: visible; text-overflow: clip; }
.memslots :is(button, select, input, input[type], pre, a, summary, .noUi-handle, .lm-TabBar-tab):focus-visible {
    outline: 2px solid var(--jp-brand-color1, #0072b2) !important; outline-offset: 1px; }
"""


def style_sheet() -> widgets.HTML:
    """Return the style sheet as a widget that takes no room."""
    return widgets.HTML(f"<style>{_CSS}</style>", layout=widgets.Layout(display="none"))


def styled(widget: widgets.DOMWidget, name: str) -> widgets.DOMWidget:
    """Give a widget one of the looks above, by its name: ``table``, ``advice``, ``tabs``; or all, by ``""``."""
    widget.add_class(f"memslots-{name}" if name else "memslots")
    return widget
