"""Layout: what a machine looks like at one moment, as an immutable value for charts, tables and reports.

Plain numbers, no arrays; charts make columns of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from workbook.lib.consumers.vhost_backend import UINT_MAX
from workbook.lib.memory import mtree
from workbook.lib.memory.flatview import Change, FlatView
from workbook.lib.memory.region import MemoryRegion
from workbook.lib.rules.base import Decision

from .memory_device import MemoryDevice
from .parts import MachineParts

__all__ = ("Consumer", "DeviceLayout", "Layout", "MemslotRow", "RamPiece", "snapshot")


@dataclass(frozen=True, slots=True)
class RamPiece:
    """One piece of boot RAM: guest-physical bytes [start, start + size)."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Consumer:
    """One consumer of memslots and how its budget is spent.

    Attributes
    ----------
    limit
        Memslots it has; None for no limit.
    boot
        Taken by boot RAM and firmware.
    used
        Mapped by memory devices.
    reserved
        Promised to memory devices, not mapped yet; of VFIO what QEMU thinks possible beyond `used`.
    unit
        What is counted: ``memslots``, or ``DMA mappings`` of a VFIO container.
    """

    name: str
    limit: int | None
    boot: int
    used: int
    reserved: int
    unit: str = "memslots"

    @property
    def free(self) -> int | None:
        """Memslots left for others; negative if overcommitted; None without a limit."""
        return None if self.limit is None else self.limit - self.boot - self.used - self.reserved


class MemslotRow(NamedTuple):
    """One memslot of a device: offset in the device, bytes, plugged bytes, and whether it is mapped now."""

    offset: int
    size: int
    plugged: int
    mapped: bool


@dataclass(frozen=True, slots=True, eq=False)
class DeviceLayout:
    """One memory device.

    Attributes
    ----------
    start, size
        Guest-physical start and bytes.
    requested_size, usable_region_size, plugged_size, block_size
        Of virtio-mem, bytes; for other devices the whole size (block size 0).
    exposed
        Bytes of a virtio-mem device that are mapped and not plugged: the guest can touch them all the same.
    decision
        How its RAM is cut.
    mapped
        Indices of the memslots that are mapped now, ascending.
    used
        Memslots that are mapped; fewer than `mapped` where a monitor joins some.
    plugged
        Plugged extents (start, end), offsets in the device, ascending.
    """

    id: str
    type: str
    memdev: str
    start: int
    size: int
    requested_size: int
    usable_region_size: int
    plugged_size: int
    block_size: int
    exposed: int
    decision: Decision
    mapped: Sequence[int]
    used: int
    plugged: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, one: MemoryDevice) -> "DeviceLayout":
        """Take the picture of one device."""
        device = one.virtio_mem
        return cls(
            id=one.id,
            type=one.spec.type,
            memdev=one.backend.id,
            start=one.addr,
            size=one.size,
            requested_size=device.requested_size if device else one.size,
            usable_region_size=device.usable_region_size if device else one.size,
            plugged_size=device.size if device else one.size,
            block_size=device.block_size if device else 0,
            exposed=device.exposed if device else 0,
            decision=one.decision,
            mapped=device.mapped if device else (0,),
            used=one.mapped,
            plugged=tuple(device.plugged.extents()) if device else ((0, one.size),),
        )

    @property
    def mapped_size(self) -> int:
        """Bytes that are mapped."""
        return self.decision.total(self.mapped)

    def memslots(self) -> list[MemslotRow]:
        """Return every memslot, also those behind the device's end that a rule set may leave over."""
        decision, mapped = self.decision, set(self.mapped)
        plugged = [0] * decision.count
        for start, end in self.plugged:
            for index in decision.slots(start, end):
                offset = decision.offset(index)
                plugged[index] += min(end, offset + decision.size(index)) - max(start, offset)
        return [
            MemslotRow(decision.offset(index), decision.size(index), plugged[index], index in mapped)
            for index in range(decision.count)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A whole machine at one moment.

    Attributes
    ----------
    rules
        Name of the rule set.
    ram
        Boot RAM below and above 4 GiB.
    base, size
        The device-memory container; size 0 if there is none.
    devices
        In address order.
    consumers
        KVM first (if used), then every vhost back end and every VFIO container.
    root
        The device-memory container with everything in it; None if there is none.
    view
        Flat view of device memory.
    accelerators
        What ``info mtree -f`` prints behind a range, once per KVM address space that shares the view.
    """

    rules: str
    ram: tuple[RamPiece, ...]
    base: int
    size: int
    devices: tuple[DeviceLayout, ...]
    consumers: tuple[Consumer, ...]
    view: FlatView
    warnings: tuple[str, ...]
    root: MemoryRegion | None = None
    accelerators: tuple[str, ...] = ()

    @property
    def exposed(self) -> int:
        """Bytes of all virtio-mem devices that are mapped and not plugged."""
        return sum(one.exposed for one in self.devices)

    @property
    def memslot_sizes(self) -> tuple[int, ...]:
        """Bytes of every memslot that memory devices have mapped, in address order."""
        return tuple(one.size for one in self.view)

    @property
    def memslot_bases(self) -> tuple[int, ...]:
        """Guest-physical start of every memslot of `memslot_sizes`."""
        return tuple(one.start for one in self.view)

    def info_mtree(self, *, flat: bool = False) -> str:
        """Return QEMU's text for the device-memory part of ``info mtree``, or of ``info mtree -f``.

        Indented as QEMU does inside the system address space; lines are joined without a last newline.
        """
        if flat:
            return "\n".join(mtree.flat_lines(self.view, accelerators=self.accelerators))
        return "\n".join(mtree.tree_lines(self.root, level=2)) if self.root else ""

    def changes(self, to: "Layout") -> tuple[Change, ...]:
        """Return the memory listener callbacks for the transition to the layout `to`."""
        return self.view.changes(to.view)


def snapshot(machine: MachineParts) -> Layout:
    """Return what a machine looks like now."""
    board, spaces = machine.board, len(machine.consumers.kvm_used)
    pieces = (RamPiece(0, board.below_4g), RamPiece(board.above_4g_start, board.above_4g))
    return Layout(
        rules=machine.rules.name,
        ram=tuple(one for one in pieces if one.size),
        base=board.device_memory_base,
        size=board.device_memory_size,
        devices=tuple(DeviceLayout.of(one) for one in machine.bus.by_address()),
        consumers=_consumers(machine),
        root=machine.bus.root,
        view=machine.bus.view,
        # on pc both KVM address spaces share one flat view; q35's SMM space always has one of its own
        accelerators=("KVM",) * (spaces if machine.scenario.chipset == "pc" else min(spaces, 1)),
        warnings=tuple(machine.warnings),
    )


def _consumers(machine: MachineParts) -> tuple[Consumer, ...]:
    consumers = machine.consumers
    reserved = consumers.reserved
    found = []
    if consumers.kvm_used:
        found.append(Consumer("KVM", machine.scenario.kvm_slots, consumers.kvm_boot, len(machine.bus.view), reserved))
    for one in consumers.active_vhosts:
        limit = None if one.backend.limit >= UINT_MAX else one.backend.limit
        found.append(Consumer(one.backend.id, limit, one.boot_regions, len(one.sections), reserved))
    for container in consumers.containers:
        mapped = consumers.dma_mappings(container)
        promised = container.possible - mapped if container.available is not None else 0
        found.append(Consumer(container.name, container.available, 0, mapped, promised, unit="DMA mappings"))
    return tuple(found)
