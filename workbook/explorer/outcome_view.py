"""The picture of one outcome: charts, the reason, and QEMU's texts."""

import html
import shlex
from collections.abc import Callable, Sequence
from typing import Final, Literal
from urllib.parse import quote

import ipywidgets as widgets

from workbook.charts import DecisionTrace, OutcomeCharts
from workbook.columns.listener_events import events_in_words
from workbook.lib.explore.advice import Advice, advise, binding
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.slot_table import slot_csv
from workbook.lib.scenario import Scenario
from workbook.lib.size import format_size
from workbook.lib.trace import binding_step
from workbook.widgets.bokeh_figure import Figure
from workbook.widgets.change import Change
from workbook.widgets.styles import style_sheet, styled

__all__ = ("OutcomeView",)

Theme = Literal["light", "dark"]
_TABS: Final = ("Why", "Events", "info mtree", "info mtree -f", "Command line", "libvirt XML", "Numbers", "Save")
MAX_LINES: Final = 300
"""Lines of a text that are shown; a 1,024-slot tree is long and its middle is seldom read."""


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
        self._last: Outcome | None = None
        self._binds = styled(widgets.HTML(), "decides")
        self._advice = styled(widgets.HBox(), "advice")
        self.charts = OutcomeCharts(theme=theme, compact=True)
        self.charts.memory_map.cut_unmapped = True
        self.trace = DecisionTrace(theme=theme)
        self._notice = styled(widgets.HTML(), "verdict")
        self._summary = styled(widgets.HTML(), "tiles")
        self._texts = {name: widgets.HTML() for name in _TABS}
        self._tabs = styled(widgets.Tab(children=list(self._texts.values()), titles=list(self._texts)), "tabs")
        self._tabs.observe(self._show_tab, "selected_index")
        self._cut = widgets.Checkbox(
            description="Shorten unmapped runs",
            value=True,
            indent=False,
            layout=widgets.Layout(width="auto"),
            tooltip="The map is to scale otherwise, and a few mapped memslots of a large device are narrow",
        )
        self._cut.observe(self._on_cut, "value")
        self.figure = Figure(self.charts.root, page=self.charts.memory_map.theme.page)
        self.figure.layout.width = "100%"
        self.figure.add_class("memslots-picture-Memory_map,_cost_and_slot_budget")
        super().__init__(
            [style_sheet(), self._summary, self._notice, self._advice, self.figure, self._binds, self._tabs, self._cut],
            layout=widgets.Layout(width="100%", min_width="0"),
        )
        styled(self, "")

    def show(self, outcome: Outcome) -> None:
        """Show another outcome."""
        self.outcome = outcome
        # the charts first: every other message makes the page paint something before them
        # where QEMU does not start, the last picture stays, greyed
        drawn = outcome if outcome.layout or self._last is None else self._last
        self._last = outcome if outcome.layout else self._last
        with self.figure.held():
            self.charts.update(drawn)
        if drawn is outcome:
            self.figure.remove_class("memslots-stale")
        else:
            self.figure.add_class("memslots-stale")
        self._notice.value = _notice(outcome)
        self._summary.value = tiles(outcome)
        self._binds.value = _deciding_line(outcome)
        self._advise(outcome)
        self._show_tab(None)

    def _on_cut(self, change: Change[bool]) -> None:
        self.charts.memory_map.cut_unmapped = change["new"]
        if self.outcome is not None:
            with self.figure.held():
                self.charts.update(self._last or self.outcome)

    def _advise(self, outcome: Outcome) -> None:
        """Offer changes that help, each a button that makes it."""
        if self._apply is None:
            return
        found = advise(outcome)
        if binds := binding(found):
            self._binds.value = f"<b>Limited by:</b> {html.escape(binds)}"
        self._advice.children = [self._button(one) for one in found]

    def _button(self, advice: Advice) -> widgets.Button:
        button = widgets.Button(
            description=f"Try: {advice.text}", layout=widgets.Layout(width="auto"), tooltip="Apply this change"
        )
        apply = self._apply
        assert apply is not None
        button.on_click(lambda _button: apply(advice.scenario))
        return button

    def _show_tab(self, _change: object) -> None:
        """Fill the visible tab only: filling hidden ones would only take time."""
        if self.outcome is None:
            return
        name = list(self._texts)[self._tabs.selected_index or 0]
        self._texts[name].value = self._tab(name, self.outcome)

    def _tab(self, name: str, outcome: Outcome) -> str:
        if name == "Why":
            devices = outcome.layout.devices if outcome.layout else ()
            decisions = [self.trace.html(one.decision, title=one.id) for one in devices if one.type == "virtio-mem"]
            refused = self.trace.reason(outcome.problem.reason) if outcome.problem else ""
            return refused + "".join(decisions) or _text(["No decision was made: see the message above."])
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


def tiles(outcome: Outcome) -> str:
    """Return the numbers that matter most, each as a tile: its value, its name, and what it compares with."""
    if outcome.layout is None:
        shown = [("-", "memslots mapped", "QEMU does not start")]
    else:
        whole, now = outcome.single_cost.total, outcome.cost.total
        saved = f"{100 * (now - whole) / whole:+.0f} % of {format_size(whole, digits=1)}" if whole else "nothing"
        kvm = next((one for one in outcome.layout.consumers if one.limit is not None), None)
        room = "" if kvm is None or kvm.free is None else f"{kvm.free:,} of {kvm.limit:,} free"
        shown = [
            (f"{outcome.used:,} of {outcome.promised:,}", "memslots mapped", room),
            (format_size(outcome.plugged, digits=2), "plugged", ""),
            (format_size(outcome.exposed, digits=2), "exposed", "mapped, not plugged"),
            (format_size(now, digits=1), "KVM metadata", saved),
        ]
    return "".join(
        f"<div><b>{html.escape(value)}</b><span>{html.escape(name)}</span><small>{html.escape(note)}</small></div>"
        for value, name, note in shown
    )


def _deciding_line(outcome: Outcome) -> str:
    """Return the step that decided on the first device's memslots, or the last number that led to a refusal."""
    reason = outcome.problem.reason if outcome.problem else ()
    if reason:
        return f"<b>Refused because:</b> {html.escape(str(reason[-1]))}"
    for one in outcome.layout.devices if outcome.layout else ():
        if one.type == "virtio-mem" and (index := binding_step(one.decision.trace)) is not None:
            return f"<b>Decided by:</b> {html.escape(str(one.decision.trace[index]))}"
    return "<b>Decided by:</b> no rule: the memory is mapped as one memslot"


def _notice(outcome: Outcome) -> str:
    """Return the refusal or the warnings, as an alert that screen readers announce."""
    if outcome.problem:
        who = "QEMU refuses" if outcome.problem.by_qemu else "Invalid scenario"
        advice = f"<br><b>What to do:</b> {html.escape(outcome.problem.advice)}" if outcome.problem.advice else ""
        return _box("#b3261e", f"<b>{who}:</b> {html.escape(outcome.problem.message)}{advice}")
    warnings = outcome.layout.warnings if outcome.layout else ()
    return _box("#8a6100", "<br>".join(html.escape(one) for one in warnings)) if warnings else ""


def _events(outcome: Outcome) -> list[str]:
    """Return what memory listeners (KVM, vhost) were told by the last action."""
    if not outcome.steps:
        return ["QEMU does not start: no listener callbacks."]
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
        "Command line and domain describe the VM at its start; scenario.json also has the actions since.",
        "Pictures: use the PNG and SVG buttons of each chart.",
    )
    return f"<ul>{''.join(items)}</ul>{''.join(f'<p>{note}</p>' for note in notes)}"


def _text(lines: Sequence[str], *, wrap: bool = False) -> str:
    shown = list(lines)
    if len(shown) > MAX_LINES:
        shown = [*shown[: MAX_LINES - 1], f"... {len(lines) - MAX_LINES + 1} more lines"]
    breaks = "white-space:pre-wrap;overflow-wrap:anywhere" if wrap else "white-space:pre"
    style = f"max-height:320px;overflow:auto;line-height:1.35;margin:0;word-break:normal;{breaks}"
    return f"<pre tabindex='0' style='{style}'>{html.escape(chr(10).join(shown)) or 'nothing'}</pre>"
