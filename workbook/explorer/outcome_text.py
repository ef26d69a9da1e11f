"""What an explorer says of an outcome in HTML: tiles, verdict, what decided, QEMU's texts, files to save."""

import html
import shlex
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

from workbook.columns.listener_events import events_in_words
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.slot_table import slot_csv
from workbook.lib.explore.timeline import Step
from workbook.lib.notes import Note
from workbook.lib.size import format_size
from workbook.lib.trace import TraceStep, binding_step

__all__ = ("deciding_line", "events", "links", "notes_list", "preformatted", "steps_table", "tiles", "verdict")

MAX_LINES: Final = 300
"""Lines of a text that are shown; a 1,024-slot tree is long and its middle is seldom read."""
_DECIDES: Final = {
    "needed": "what the device needs",
    "limit": "the policy's limit",
    "device limit": "the most that one device may have",
    "share": "the device's share of the available memslots",
    "share of total": "the device's share of all memslots",
    "less 10 %": "nine tenths of the device's share",
    "user limit": "the user's limit",
    "user's memslots": "the user's number of memslots",
    "soft budget": "QEMU's soft limit for all memory devices",
    "available": "what is available",
}
"""What a step of a decision is called in a sentence."""
_ALARM: Final = "var(--jp-error-color1, #b3261e)"
_WARNING: Final = "var(--jp-warn-color1, #8a6100)"


def tiles(outcome: Outcome, name: str = "") -> str:
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
    side = f"<div class='side'><b>{html.escape(name)}</b></div>" if name else ""
    return f"<div class='row'>{side}{''.join(_tile(*one) for one in shown)}</div>"


def _tile(value: str, name: str, note: str) -> str:
    return f"<div><b>{html.escape(value)}</b><span>{html.escape(name)}</span><small>{html.escape(note)}</small></div>"


def deciding_line(outcome: Outcome) -> str:
    """Return the step that decided on the first device's memslots, or the last number that led to a refusal."""
    reason = outcome.problem.reason if outcome.problem else ()
    if reason:
        return f"<b>Refused because:</b> {html.escape(str(reason[-1]))}"
    for one in outcome.layout.devices if outcome.layout else ():
        if one.type == "virtio-mem" and (index := binding_step(one.decision.trace)) is not None:
            return f"<b>Decided by</b> {html.escape(_sentence(one.decision.trace[index]))}"
    return "<b>Decided by</b> no rule: the memory is mapped as one memslot"


def _sentence(step: TraceStep) -> str:
    """Return the value that decided in words; its arithmetic stands in the table of *Why*."""
    what = _DECIDES.get(step.name, f"\N{LEFT DOUBLE QUOTATION MARK}{step.name}\N{RIGHT DOUBLE QUOTATION MARK}")
    return f"{what}: {step.shown} ({step.why})"


def verdict(outcome: Outcome, name: str = "") -> str:
    """Return the refusal or the warnings, as an alert that screen readers announce; empty where all is well."""
    side = f"{html.escape(name)}: " if name else ""
    if outcome.problem:
        who = f"{outcome.problem.who} refuses" if outcome.problem.by_qemu else "Invalid scenario"
        advice = f"<br><b>What to do:</b> {html.escape(outcome.problem.advice)}" if outcome.problem.advice else ""
        return _box(_ALARM, f"<b>{side}{who}:</b> {html.escape(outcome.problem.message)}{advice}")
    warnings = outcome.layout.warnings if outcome.layout else ()
    return _box(_WARNING, side + "<br>".join(html.escape(one) for one in warnings)) if warnings else ""


def events(outcome: Outcome) -> str:
    """Return what memory listeners (KVM, vhost) were told by the last action."""
    if not outcome.steps:
        return preformatted(["QEMU does not start: no listener callbacks."])
    step = outcome.steps[-1]
    changes = step.before.changes(step.layout) if step.before else ()
    return preformatted([f"{step.title}:", *events_in_words(changes).splitlines()])


def notes_list(notes: Iterable[Note]) -> str:
    """Return notes on a text, the most important kinds first."""
    order = ("hint", "not modelled", "assumed", "passed over")
    rows = "".join(
        f"<li><b>{one.kind}</b> {html.escape(str(one))}</li>"
        for one in sorted(notes, key=lambda one: order.index(one.kind))
    )
    return f"<ul class='notes'>{rows}</ul>" if rows else ""


def steps_table(steps: tuple[Step, ...], position: int) -> str:
    """Return a table of all steps and what each did; the one that is shown is marked."""
    rows = []
    for number, step in enumerate(steps):
        cells = (
            number,
            step.title,
            sum(one.used for one in step.layout.devices),
            format_size(sum(one.plugged_size for one in step.layout.devices)),
            f"+{format_size(step.added)}" if step.added else "",
            f"-{format_size(step.deleted)}" if step.deleted else "",
            len(step.changes) or "",
            step.problem.message if step.problem else "",
        )
        here = " aria-current='step'" if number == position else ""
        rows.append(f"<tr{here}>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>")
    names = ("step", "what", "memslots", "plugged", "region_add", "region_del", "events", "QEMU says")
    head = "".join(f"<th style='text-align:left'>{name}</th>" for name in names)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def links(outcome: Outcome) -> str:
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
        "Pictures: use the PNG and SVG buttons of each chart; settings and verdict are inside.",
    )
    return f"<ul>{''.join(items)}</ul>{''.join(f'<p>{note}</p>' for note in notes)}"


def preformatted(lines: Sequence[str], *, wrap: bool = False) -> str:
    """Return a text in a box that scrolls; a long one is cut and says so."""
    shown = list(lines)
    if len(shown) > MAX_LINES:
        shown = [*shown[: MAX_LINES - 1], f"... {len(lines) - MAX_LINES + 1} more lines"]
    breaks = "white-space:pre-wrap;overflow-wrap:anywhere" if wrap else "white-space:pre"
    style = f"max-height:320px;overflow:auto;line-height:1.35;margin:0;word-break:normal;{breaks}"
    return f"<pre tabindex='0' style='{style}'>{html.escape(chr(10).join(shown)) or 'nothing'}</pre>"


def _box(colour: str, content: str) -> str:
    style = f"border-left:4px solid {colour};padding:0 8px;margin:1px 0;line-height:1.3"
    return f"<div role='alert' style='{style}'>{content}</div>"
