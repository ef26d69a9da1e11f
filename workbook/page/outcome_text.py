"""Text of a report about one outcome: HTML and plain lines."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from workbook.lib.errors import ReasonStep, WorkbookError
from workbook.lib.explore.advice import Advice, binding
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.scenario_edits import reported_memslots
from workbook.lib.scenario import Dimm, Pmem, Scenario, VhostDevice, VirtioMem
from workbook.lib.size import format_size
from workbook.lib.trace import DIRECT, binding_step

from .templates import render_macro

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


def _fragment(name: str, **values: object) -> str:
    return render_macro("outcome.html.j2", name, **values)


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
    slots = reported_memslots(one)
    if one.kernel:
        return f"{one.id}, vhost in the kernel, has {slots}"
    return f"{one.id} ({one.driver}) has {slots}" + (" (no CONFIGURE_MEM_SLOTS)" if one.slots is None else "")


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
        f"(one memslot: {format_size(outcome.single_cost.total, digits=1)}), "
        f"{format_size(outcome.exposed, digits=1)} exposed."
    )


def numbers(outcome: Outcome) -> str:
    """Return the numbers that matter most, as the rows of a description list."""
    layout = outcome.layout
    if layout is None:
        return _fragment("numbers", rows=())
    devices = [one for one in layout.devices if one.type == "virtio-mem"]
    plugged, asked = (sum(getattr(one, name) for one in devices) for name in ("plugged_size", "requested_size"))
    usable = sum(one.usable_region_size for one in devices)
    sizes = _and([format_size(one) for one in dict.fromkeys(one.decision.memslot_size for one in devices)] or ["0 B"])
    rows = (
        ("memslots mapped", f"{outcome.used:,}", f"of {outcome.promised:,}, each {sizes}"),
        ("plugged", _size(plugged), f"{_size(asked)} requested, {_size(usable)} usable"),
        ("exposed", _size(outcome.exposed), "mapped, not plugged"),
        ("KVM metadata", _size(outcome.cost.total), f"{_size(outcome.single_cost.total)} with one memslot"),
    )
    return _fragment("numbers", rows=rows)


def _size(size: int) -> str:
    return format_size(size, digits=2) if size else "0"


def verdict(outcome: Outcome, found: Sequence[Advice]) -> str:
    """Return QEMU's refusal and warnings, byte for byte, and changes that help.

    Parameters
    ----------
    found
        The changes: `workbook.lib.explore.advice.advise` checks each with the model.
    """
    warnings = outcome.layout.warnings if outcome.layout else ()
    texts = [one.text for one in found]
    return _fragment("verdict", problem=outcome.problem, warnings=warnings, limited_by=binding(found), found=texts)


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
    return _fragment("cells", texts=cells)


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


@dataclass(frozen=True, slots=True)
class _Trace:
    """A table of steps, the deciding one marked by a note; without steps, the note alone."""

    caption: str
    note: str
    rows: Sequence[ReasonStep] = ()
    binding: int | None = None


def traces(outcome: Outcome) -> str:
    """Return why it is refused, in numbers, and every device's decision, as tables; the step that decided is marked."""
    return _fragment("traces", tables=list(_traces(outcome)))


def _traces(outcome: Outcome) -> Iterator[_Trace]:
    if outcome.problem and (reason := outcome.problem.reason):
        yield _Trace("why it is refused", "this is too much", reason, len(reason) - 1)
    for one in outcome.layout.devices if outcome.layout else ():
        if one.type == "virtio-mem":
            decision = one.decision
            caption = f"{one.id}: {decision.count:,} x {format_size(decision.memslot_size)}"
            if decision.trace:
                yield _Trace(caption, "this decides", decision.trace, binding_step(decision.trace))
            else:
                yield _Trace(one.id, DIRECT)
