"""One VM's text to one row: whether it starts, what it takes, which limit is closest, and what would help."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, Literal, TypedDict

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import Abort, BadInput, Refusal, WorkbookError
from workbook.lib.host import Host
from workbook.lib.machine.from_text import read_text
from workbook.lib.machine.machine import Machine
from workbook.lib.machine.snapshot import Consumer, Layout
from workbook.lib.rules import RuleSet
from workbook.lib.scenario import Scenario, VirtioMem
from workbook.lib.size import format_size
from workbook.lib.text_forms import recognise

from .backend_limits import limits_by_id
from .inputs import VmText

__all__ = (
    "VERDICTS",
    "CheckRow",
    "Memslots",
    "Metadata",
    "Question",
    "Verdict",
    "check_machine",
    "check_vm",
    "row_of_failure",
    "settle",
    "to_json",
    "with_dynamic_memslots",
)

Verdict = Literal["starts", "refused", "dies", "unreadable"]
VERDICTS: Final[tuple[Verdict, ...]] = ("starts", "refused", "dies", "unreadable")
_WORTH_SAYING: Final = 1 << 20
"""Bytes of metadata below which no change is proposed."""


class Memslots(TypedDict):
    """Memslots of a VM after its guest has followed the requests.

    ``mapped`` and ``promised`` are of memory devices, ``kvm_used`` is of KVM with RAM and firmware; ``binds`` names the
    consumer with the fewest free memslots, ``room`` is what it has left (None: no limit).
    """

    mapped: int
    promised: int
    kvm_used: int | None
    kvm_limit: int | None
    binds: str
    room: int | None


class Metadata(TypedDict):
    """KVM's metadata for the memslots of memory devices, bytes.

    ``dynamic`` is the same VM with dynamic-memslots=on (None where that changes nothing, or is refused, which
    ``dynamic_message`` says), ``nested`` after a nested guest has run.
    """

    now: int
    dynamic: int | None
    dynamic_message: str
    nested: int


class CheckRow(TypedDict):
    """Result of `check` for one VM."""

    source: str
    read: str
    verdict: Verdict
    message: str
    memslots: Memslots | None
    metadata: Metadata | None
    exposed: int | None
    vfio: str
    change: str
    notes: list[str]


@dataclass(frozen=True)
class Question:
    """Options of the check, the same for every VM.

    Attributes
    ----------
    rules
        Rule set or its name; None: the newest QEMU, or the one that the machine type's distribution ships.
    host
        What is known of the host; None: nothing.
    kvm
        What memslots cost there; None follows from `host`, and without one is EPT or NPT with a new kernel.
    vhost_slots
        Memslot limit, or the name of the program, by device id, driver, kind of device or `EVERY`; see
        `workbook.batch.backend_limits.limits_by_id`.
    """

    rules: str | RuleSet | None = None
    host: Host | None = None
    kvm: KvmHost | None = None
    vhost_slots: Mapping[str, int | str | None] = field(default_factory=dict)

    def machine(self, text: str) -> Machine:
        """Build the machine of a text.

        Raises
        ------
        BadInput, Refusal
            As `Machine.from_text`.
        """
        limits: dict[str, int | None] = {}
        if self.vhost_slots:  # which devices there are to have a limit is known only when the text has been read
            read = read_text(text, rules=self.rules, host=self.host, vhost_slots={}, files=None)
            limits = limits_by_id(self.vhost_slots, read.line.scenario.devices)
        return Machine.from_text(text, self.rules, self.host, limits)

    def cost(self, machine: Machine, *, nested: bool = False) -> int:
        """Return KVM's metadata for what memory devices have mapped, bytes."""
        spaces = len(machine.kvm_used)
        if not spaces:
            return 0
        kvm = _kvm_of(self.kvm, self.host, smm=spaces > 1, nested=nested or machine.scenario.nested)
        return _metadata(kvm, tuple(one.size for one in machine.view))


@lru_cache(maxsize=64)
def _kvm_of(kvm: KvmHost | None, host: Host | None, *, smm: bool, nested: bool) -> KvmHost:
    return replace(kvm or KvmHost.of(host or Host()), smm=smm, nested=nested)


@lru_cache(maxsize=4096)
def _metadata(kvm: KvmHost, sizes: tuple[int, ...]) -> int:
    return kvm.metadata(sizes).total


def check_vm(vm: VmText, question: Question) -> CheckRow:
    """Read one VM, start it, let a Linux-like guest follow every request, and return the result; never raises."""
    if vm.problem:
        return _row(vm.source, "", "unreadable", vm.problem)
    try:
        machine = question.machine(vm.text)
        settle(machine)
        return check_machine(vm.source, machine, question)
    except (Abort, Refusal, BadInput) as error:
        return row_of_failure(vm.source, _read_as(vm.text) if isinstance(error, Refusal) else "", error)
    except (RecursionError, MemoryError) as error:
        return _row(vm.source, "", "unreadable", f"too large or too deeply nested ({type(error).__name__})")


def row_of_failure(source: str, read: str, error: Abort | Refusal | BadInput) -> CheckRow:
    """Return the row of a VM that does not start, or cannot be read."""
    match error:
        case Abort():
            return _row(source, read, "dies", error.message, change=error.advice)
        case Refusal():
            said = error.message if error.who == "QEMU" else f"{error.who}: {error.message}"
            return _row(source, read, "refused", said, change=error.advice)
    return _row(source, read, "unreadable", str(error))


def _read_as(text: str) -> str:
    try:
        return recognise(text).read_as
    except BadInput:
        return ""


def _row(source: str, read: str, verdict: Verdict, message: str, *, change: str = "") -> CheckRow:
    return CheckRow(
        source=source,
        read=read,
        verdict=verdict,
        message=message,
        memslots=None,
        metadata=None,
        exposed=None,
        vfio="",
        change=change,
        notes=[],
    )


def check_machine(source: str, machine: Machine, question: Question) -> CheckRow:
    """Return what there is to say about a machine as it is now."""
    layout = machine.picture
    now, nested = question.cost(machine), question.cost(machine, nested=True)
    changed, said = _with_dynamic_memslots(machine)
    dynamic = None if changed is None else question.cost(changed)
    row = _row(source, machine.read_as, "starts", "\n".join(machine.warnings))
    row["memslots"] = _memslots(machine, layout)
    row["metadata"] = Metadata(now=now, dynamic=dynamic, dynamic_message=said, nested=nested)
    row["exposed"] = layout.exposed
    row["vfio"] = ", ".join(
        f"{one.name}: {one.used:,} of {one.limit:,} DMA mappings" if one.limit is not None else f"{one.name}: no limit"
        for one in layout.consumers
        if one.unit == "DMA mappings"
    )
    if changed is not None and dynamic is not None:
        row["change"] = _saving(now - dynamic, nested - question.cost(changed, nested=True))
    row["notes"] = [f"{one.kind}: {one}" for one in machine.notes]
    return row


def settle(machine: Machine) -> None:
    """Let a Linux-like guest follow the request of every virtio-mem device."""
    for device in machine.devices:
        if device.virtio_mem is not None:
            machine.settle(device.id)


def _memslots(machine: Machine, layout: Layout) -> Memslots:
    used = machine.kvm_used
    tightest = min((one for one in layout.consumers if one.limit is not None), key=_room, default=None)
    return Memslots(
        mapped=len(machine.view),
        promised=sum(one.decision.count for one in layout.devices),
        kvm_used=used[0] if used else None,
        kvm_limit=machine.scenario.kvm_slots if used else None,
        binds=f"{tightest.name} ({tightest.limit:,} {tightest.unit})" if tightest else "",
        room=_room(tightest) if tightest else None,
    )


def _room(consumer: Consumer) -> int:
    assert consumer.limit is not None
    return consumer.limit - consumer.boot - consumer.used - consumer.reserved


def with_dynamic_memslots(scenario: Scenario) -> Scenario:
    """Return a VM whose virtio-mem devices have dynamic-memslots=on, and what that needs."""
    devices = tuple(
        replace(one, dynamic_memslots=True, unplugged_inaccessible="on") if isinstance(one, VirtioMem) else one
        for one in scenario.devices
    )
    return replace(scenario, devices=devices)


def _with_dynamic_memslots(machine: Machine) -> tuple[Machine | None, str]:
    """Return the VM with dynamic-memslots=on, or why QEMU refuses that; None alone where nothing would change."""
    scenario = machine.scenario
    static = [one for one in scenario.devices if isinstance(one, VirtioMem) and not one.dynamic_memslots]
    if not static or "dynamic-memslots" in machine.rules.unknown_properties:
        return None, ""
    try:
        changed = Machine(with_dynamic_memslots(scenario), machine.rules)
        settle(changed)
    except WorkbookError as error:
        return None, str(error)
    return changed, ""


def _saving(now: int, nested: int) -> str:
    """Say what dynamic-memslots=on saves, bytes; empty where it is not worth it."""
    if now < _WORTH_SAYING and nested < _WORTH_SAYING:
        return ""
    saves = f"dynamic-memslots=on saves {format_size(max(now, 0), digits=1)} of KVM's metadata"
    return saves if nested <= now else f"{saves}, {format_size(nested, digits=1)} once a nested guest has run"


def to_json(row: CheckRow) -> str:
    """Return a row as one line of JSON."""
    return json.dumps(row, ensure_ascii=False)
