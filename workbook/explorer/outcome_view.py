"""The picture of one outcome: charts, the reason, and QEMU's texts."""

import html
import shlex
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal
from urllib.parse import quote

import ipywidgets as widgets

from workbook.charts import DecisionTrace, OutcomeCharts
from workbook.charts.listener_events import events_in_words
from workbook.lib.explore.advice import Advice, advise, binding
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.slot_table import slot_csv
from workbook.lib.scenario import Scenario
from workbook.lib.size import format_size
from workbook.widgets.bokeh_figure import Figure
from workbook.widgets.styles import style_sheet, styled

__all__ = ("OutcomeView",)

Theme = Literal["light", "dark"]
_TABS: Final = ("Why", "Events", "info mtree", "info mtree -f", "Command line", "libvirt XML", "Numbers", "Save")
MAX_LINES: Final = 300
"""Lines of a text that are shown; a 1,024-slot tree is long and nobody reads its middle."""


class OutcomeView(widgets.VBox):
    """Shows an `Outcome`; figures are built once and get new data.

    Parameters
    ----------
    theme
        ``light`` or ``dark``.
    apply
        Called with the scenario of a piece of advice that the user takes; None offers no advice.
    """

    def __init__(self, theme: Theme = "light", *, apply: Callable[[Scenario], None] | None = None) -> None:
        self.outcome: Outcome | None = None
        self._apply = apply
        self._binds = widgets.HTML()
        self._advice = styled(widgets.VBox(), "advice")
        self.charts = OutcomeCharts(theme=theme)
        self.trace = DecisionTrace(theme=theme)
        self._notice = widgets.HTML()
        self._summary = widgets.HTML()
        self._texts = {name: widgets.HTML() for name in _TABS}
        self._tabs = styled(widgets.Tab(children=list(self._texts.values()), titles=list(self._texts)), "tabs")
        self._tabs.observe(self._show_tab, "selected_index")
        self._cut = widgets.Checkbox(
            description="Cut runs of unmapped memslots short",
            indent=False,
            layout=widgets.Layout(width="auto"),
            tooltip="The map is to scale otherwise, and a few mapped memslots of a large device are narrow",
        )
        self._cut.observe(self._on_cut, "value")
        self.figure = Figure(self.charts.root, page=self.charts.memory_map.theme.page)
        self.figure.layout.width = "100%"
        super().__init__(
            [style_sheet(), self._notice, self._binds, self._advice, self._summary, self._cut, self.figure, self._tabs],
            layout=widgets.Layout(width="100%", min_width="0"),
        )
        styled(self, "")

    def show(self, outcome: Outcome) -> None:
        """Show another outcome."""
        self.outcome = outcome
        # the charts first: every other message makes the page paint something before them
        with self.figure.held():
            self.charts.update(outcome)
        self._notice.value = _notice(outcome)
        self._summary.value = f"<div style='font-size:110%'>{html.escape(_sentence(outcome))}</div>"
        self._advise(outcome)
        self._show_tab(None)

    def _on_cut(self, change: Any) -> None:
        self.charts.memory_map.cut_unmapped = change["new"]
        if self.outcome is not None:
            with self.figure.held():
                self.charts.update(self.outcome)

    def _advise(self, outcome: Outcome) -> None:
        """Offer changes that help, each a button that makes it."""
        if self._apply is None:
            return
        found = advise(outcome)
        binds = binding(found)
        self._binds.value = f"<b>What binds:</b> {html.escape(binds)}" if binds else ""
        self._advice.children = [self._button(one) for one in found]

    def _button(self, advice: Advice) -> widgets.Button:
        button = widgets.Button(
            description=f"Try: {advice.text}", layout=widgets.Layout(width="auto"), tooltip="Make this change"
        )
        apply = self._apply
        assert apply is not None
        button.on_click(lambda _button: apply(advice.scenario))
        return button

    def _show_tab(self, _change: object) -> None:
        """Fill the visible tab only: the others cost time and nobody sees them."""
        if self.outcome is None:
            return
        name = list(self._texts)[self._tabs.selected_index or 0]
        self._texts[name].value = self._tab(name, self.outcome)

    def _tab(self, name: str, outcome: Outcome) -> str:
        if name == "Why":
            devices = outcome.layout.devices if outcome.layout else ()
            decisions = [self.trace.html(one.decision, title=one.id) for one in devices if one.type == "virtio-mem"]
            refused = self.trace.reason(outcome.problem.reason) if outcome.problem else ""
            return refused + "".join(decisions) or _text(["Nothing was decided: the words above say why."])
        if name == "Events":
            return _text(_events(outcome))
        if name == "info mtree":
            return _text(outcome.info_mtree.splitlines())
        if name == "info mtree -f":
            return _text(outcome.info_mtree_flat.splitlines())
        if name == "Command line":
            return _text([shlex.join(outcome.command_line)], wrap=True)
        if name == "libvirt XML":
            return _text(outcome.domain_xml.splitlines())
        if name == "Save":
            return _links(outcome)
        return _text(self.charts.describe().splitlines(), wrap=True)


def _sentence(outcome: Outcome) -> str:
    layout = outcome.layout
    if layout is None:
        return "QEMU does not start."
    plugged = sum(one.plugged_size for one in layout.devices)
    return (
        f"{outcome.used:,} of {outcome.promised:,} memslots mapped, {format_size(plugged)} plugged, "
        f"{format_size(outcome.cost.total, digits=1)} of KVM metadata "
        f"(one memslot: {format_size(outcome.single_cost.total, digits=1)})"
    )


def _notice(outcome: Outcome) -> str:
    """Return the refusal or the warnings, as an alert that screen readers announce."""
    if outcome.problem:
        who = "QEMU refuses" if outcome.problem.by_qemu else "This cannot be"
        advice = f"<br><b>What to do:</b> {html.escape(outcome.problem.advice)}" if outcome.problem.advice else ""
        return _box("#b3261e", f"<b>{who}:</b> {html.escape(outcome.problem.message)}{advice}")
    warnings = outcome.layout.warnings if outcome.layout else ()
    return _box("#8a6100", "<br>".join(html.escape(one) for one in warnings)) if warnings else ""


def _events(outcome: Outcome) -> list[str]:
    """Return what memory listeners (KVM, vhost) were told by the last action."""
    if not outcome.steps:
        return ["QEMU does not start: nobody is told anything."]
    step = outcome.steps[-1]
    changes = step.before.changes(step.layout) if step.before else ()
    return [f"{step.title}:", *events_in_words(changes).splitlines()]


def _box(colour: str, content: str) -> str:
    style = f"border-left:4px solid {colour};padding:4px 10px;margin:4px 0;line-height:1.4"
    return f"<div role='alert' style='{style}'>{content}</div>"


def _links(outcome: Outcome) -> str:
    """Return links that save files: nothing leaves the page."""
    files = {
        "memslots.csv": slot_csv(outcome.layout) if outcome.layout else "",
        "vm.sh": shlex.join(outcome.command_line) + "\n",
        "vm.xml": outcome.domain_xml,
        "scenario.json": outcome.scenario.to_json() + "\n",
    }
    items = [
        f"<li><a download='{name}' href='data:text/plain;charset=utf-8,{quote(text)}'>{name}</a></li>"
        for name, text in files.items()
    ]
    notes = (
        "Command line and domain are the VM before anything happened to it; what did is in scenario.json.",
        "Pictures: the buttons PNG and SVG beside each.",
    )
    return f"<ul>{''.join(items)}</ul>{''.join(f'<p>{note}</p>' for note in notes)}"


def _text(lines: Sequence[str], *, wrap: bool = False) -> str:
    shown = list(lines)
    if len(shown) > MAX_LINES:
        shown = [*shown[: MAX_LINES - 1], f"... {len(lines) - MAX_LINES + 1} more lines"]
    breaks = "white-space:pre-wrap;overflow-wrap:anywhere" if wrap else "white-space:pre"
    style = f"max-height:320px;overflow:auto;line-height:1.35;margin:0;word-break:normal;{breaks}"
    return f"<pre tabindex='0' style='{style}'>{html.escape(chr(10).join(shown)) or 'nothing'}</pre>"
