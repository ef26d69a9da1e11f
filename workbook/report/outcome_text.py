"""Text of a report about one outcome: HTML and plain lines."""

import html
import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from workbook.charts.decision_trace import DIRECT
from workbook.lib.errors import ReasonStep, WorkbookError
from workbook.lib.explore.advice import advise, binding
from workbook.lib.explore.outcome import Outcome
from workbook.lib.scenario import Dimm, Pmem, Scenario, VhostDevice, VirtioMem
from workbook.lib.size import format_size
from workbook.lib.trace import binding_step

__all__ = (
    "COMPARED",
    "command_line",
    "comparison_cells",
    "domain_xml",
    "numbers",
    "sentence",
    "traces",
    "verdict",
    "vm_in_words",
)

COMPARED: Final = ("first device", "mapped", "promised", "KVM metadata", "QEMU says")
"""Columns of the comparison of rule sets; the rule set's name stands in front."""


def vm_in_words(scenario: Scenario) -> str:
    """Return what the VM is, in a sentence or two."""
    kinds = [f"{format_size(scenario.ram)} of boot RAM"]
    if scenario.has_device_memory:
        kinds.append(f"{format_size(scenario.device_memory_size)} for memory devices")
    devices = [text for one in scenario.devices if (text := _device(scenario, one))]
    text = f"A {scenario.chipset} VM with {' and '.join(kinds)}"
    text += f": {_and(devices)}." if devices else ", without memory devices."
    limits = [f"KVM has {scenario.kvm_slots:,} memslots"] if scenario.accel == "kvm" else []
    limits += [_vhost(one) for one in scenario.devices if isinstance(one, VhostDevice)]
    return f"{text} {_and(limits)}." if limits else text


def _device(scenario: Scenario, one: object) -> str:
    if not isinstance(one, VirtioMem | Dimm | Pmem):
        return ""
    backend = scenario.backend(one.memdev or "")
    size = f" of {format_size(backend.size)}" if backend else ""
    return f"{one.type} {one.id or ''}".rstrip() + size


def _vhost(one: VhostDevice) -> str:
    if one.kernel:
        return f"{one.id}, vhost in the kernel, has {one.slots or 64}"
    return f"{one.id} ({one.driver}) " + (f"has {one.slots}" if one.slots else "has 8 (no CONFIGURE_MEM_SLOTS)")


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def sentence(outcome: Outcome) -> str:
    """Return the outcome in one line of plain text."""
    layout = outcome.layout
    if layout is None:
        return f"{outcome.rules.name}: QEMU does not start."
    return (
        f"{outcome.rules.name}: {outcome.used:,} of {outcome.promised:,} memslots mapped, "
        f"{format_size(outcome.plugged)} plugged, "
        f"{format_size(outcome.cost.total, digits=1)} of KVM metadata "
        f"(one memslot: {format_size(outcome.single_cost.total, digits=1)})."
    )


def numbers(outcome: Outcome) -> str:
    """Return the numbers that matter most, as the rows of a description list."""
    layout = outcome.layout
    if layout is None:
        return "<div class='off'><dt>QEMU</dt><dd>does not start</dd></div>"
    devices = [one for one in layout.devices if one.type == "virtio-mem"]
    plugged, asked = (sum(getattr(one, name) for one in devices) for name in ("plugged_size", "requested_size"))
    usable = sum(one.usable_region_size for one in devices)
    sizes = _and([format_size(one) for one in dict.fromkeys(one.decision.memslot_size for one in devices)] or ["0 B"])
    single = outcome.single_cost.total
    rows = [
        ("memslots mapped", f"{outcome.used:,}", f"of {outcome.promised:,}, each {sizes}"),
        ("plugged", _size(plugged), f"{_size(asked)} requested, {_size(usable)} usable"),
        ("KVM metadata", _size(outcome.cost.total), f"{_size(single)} with one memslot"),
    ]
    return "".join(
        f"<div><dt>{name}</dt><dd>{html.escape(value)}</dd><dd class='note'>{html.escape(note)}</dd></div>"
        for name, value, note in rows
    )


def _size(size: int) -> str:
    return format_size(size, digits=2) if size else "0"


def verdict(outcome: Outcome) -> str:
    """Return QEMU's refusal and warnings, byte for byte, and changes that help, each checked with the model."""
    lines = []
    if outcome.problem:
        who = "QEMU refuses" if outcome.problem.by_qemu else "Invalid scenario"
        lines.append(f"<p><strong>{who}:</strong> <q>{html.escape(outcome.problem.message)}</q></p>")
        if outcome.problem.advice:
            lines.append(f"<p><strong>What to do:</strong> {html.escape(outcome.problem.advice.rstrip('.'))}.</p>")
    warnings = outcome.layout.warnings if outcome.layout else ()
    lines += [f"<p><strong>QEMU warns:</strong> <q>{html.escape(one)}</q></p>" for one in warnings]
    found = advise(outcome)
    if found:
        if binds := binding(found):
            lines.append(f"<p><strong>Limited by:</strong> {html.escape(binds)}.</p>")
        items = "".join(f"<li>{html.escape(one.text)}</li>" for one in found)
        what = "What would help" if outcome.problem else "What would give more than one memslot"
        lines.append(f"<p><strong>{what}</strong> (each checked with the model):</p><ul>{items}</ul>")
    if not lines:
        return ""
    kind = "refused" if outcome.problem else "advice"
    return f"<div class='verdict {kind}'>{''.join(lines)}</div>"


def comparison_cells(outcome: Outcome) -> str:
    """Return the outcome as table cells, for `COMPARED`."""
    layout = outcome.layout
    first = layout.devices[0].decision if layout and layout.devices else None
    cells = (
        f"{first.count:,} x {format_size(first.memslot_size)}" if first else "-",
        f"{outcome.used:,}" if layout else "-",
        f"{outcome.promised:,}" if layout else "-",
        format_size(outcome.cost.total, digits=1) if layout else "-",
        outcome.problem.message if outcome.problem else "accepted",
    )
    return "".join(f"<td>{html.escape(one)}</td>" for one in cells)


def command_line(outcome: Outcome) -> list[str]:
    """Return QEMU's command line, an option a line; or why there is none."""
    try:
        words = outcome.command_line
    except WorkbookError as error:
        return [str(error)]
    return list(_options(words))


def _options(words: Sequence[str]) -> Iterable[str]:
    line = words[0] if words else ""
    for word in words[1:]:
        if word.startswith("-"):
            yield f"{line} \\"
            line = f"  {word}"
        else:
            line += f" {shlex.quote(word)}"
    yield line


def domain_xml(outcome: Outcome) -> list[str]:
    """Return the libvirt domain, line by line; or why there is none."""
    try:
        return outcome.domain_xml.splitlines()
    except WorkbookError as error:
        return [f"<!-- {error} -->"]


def traces(outcome: Outcome) -> str:
    """Return why it is refused, in numbers, and every device's decision, as tables; the step that decided is marked."""
    reason = outcome.problem.reason if outcome.problem else ()
    tables = [_steps("why it is refused", reason, len(reason) - 1, "this is too much")] if reason else []
    for one in outcome.layout.devices if outcome.layout else ():
        if one.type != "virtio-mem":
            continue
        decision = one.decision
        if not decision.trace:
            tables.append(f"<p><strong>{html.escape(one.id)}:</strong> {DIRECT}</p>")
            continue
        caption = f"{one.id}: {decision.count:,} x {format_size(decision.memslot_size)}"
        tables.append(_steps(caption, decision.trace, binding_step(decision.trace), "this decides"))
    return "".join(tables) or "<p>No device was cut into memslots.</p>"


def _steps(caption: str, steps: Sequence[ReasonStep], binding: int | None, note: str) -> str:
    rows = "".join(
        f"<tr{' class=binding' if index == binding else ''}><th scope='row'>{html.escape(step.name)}</th>"
        f"<td>{html.escape(step.shown)}</td><td>{html.escape(step.why)}"
        f"{f' <b>&larr; {note}</b>' if index == binding else ''}</td></tr>"
        for index, step in enumerate(steps)
    )
    head = "".join(f"<th scope='col'>{one}</th>" for one in ("step", "value", "how it comes about"))
    return (
        f"<table class='decision'><caption>{html.escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )
