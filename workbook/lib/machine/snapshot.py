"""Layout: what a machine looks like at one moment, as an immutable value for charts, tables and reports.

Everything here is computed from a `workbook.lib.machine.vm.Vm` and knows no QEMU version.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from workbook.lib.boards.pc import boot_slots
from workbook.lib.consumers.vhost_backend import UINT_MAX
from workbook.lib.memory import mtree
from workbook.lib.memory.flatview import Change, FlatView
from workbook.lib.memory.region import MemoryRegion
from workbook.lib.rules.base import Decision

from .memory_device import MemoryDevice
from .virtio_mem import PluggedBlocks

if TYPE_CHECKING:
    from .vm import Vm

__all__ = ("Consumer", "DeviceLayout", "Layout", "RamPiece")

Bytes = npt.NDArray[np.int64]


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
        Promised to memory devices, not mapped yet.
    """

    name: str
    limit: int | None
    boot: int
    used: int
    reserved: int

    @property
    def free(self) -> int | None:
        """What is left for others; negative where more is promised than there is; None without a limit."""
        return None if self.limit is None else self.limit - self.boot - self.used - self.reserved


@dataclass(frozen=True, slots=True, eq=False)
class DeviceLayout:
    """One memory device.

    Attributes
    ----------
    start, size
        Guest-physical start and bytes.
    requested_size, usable_region_size, plugged_size, block_size
        Of virtio-mem, bytes; for other devices the whole size (block size 0).
    decision
        How its RAM is cut.
    slot_offset, slot_size, slot_plugged
        Per memslot: offset in the device, bytes, plugged bytes; shape (count,).
    slot_mapped
        Per memslot: whether it is mapped now.
    plugged
        Plugged extents (start, end), offsets in the device; shape (n, 2).
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
    decision: Decision
    slot_offset: Bytes
    slot_size: Bytes
    slot_plugged: Bytes
    slot_mapped: npt.NDArray[np.bool_]
    plugged: Bytes

    @classmethod
    def of(cls, one: MemoryDevice) -> "DeviceLayout":
        """Take the picture of one device."""
        decision, device = one.decision, one.virtio_mem
        count = decision.count
        offset = np.arange(count, dtype=np.int64) * decision.memslot_size
        size = _slot_sizes(decision, offset)
        mapped = np.zeros(count, dtype=np.bool_)
        mapped[list(device.mapped) if device else [0]] = True
        blocks = device.plugged if device else PluggedBlocks([0], [one.size])
        extents = np.array(list(blocks.extents()), dtype=np.int64).reshape(-1, 2)
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
            decision=decision,
            slot_offset=offset,
            slot_size=size,
            slot_plugged=_plugged_per_slot(offset, size, extents),
            slot_mapped=mapped,
            plugged=extents,
        )

    @property
    def used(self) -> int:
        """Memslots that are mapped."""
        return int(self.slot_mapped.sum())

    @property
    def mapped_size(self) -> int:
        """Bytes that are mapped."""
        return int(self.slot_size[self.slot_mapped].sum())


def _slot_sizes(decision: Decision, offset: Bytes) -> Bytes:
    """Return `Decision.size` of every slot at once."""
    rest = decision.region_size - offset
    # a surplus slot behind the end has a size that wraps to a full one
    size = np.where(rest < 0, decision.memslot_size, np.minimum(rest, decision.memslot_size))
    if decision.rest_in_last:
        size[-1] = rest[-1]
    return size


def _plugged_per_slot(offset: Bytes, size: Bytes, extents: Bytes) -> Bytes:
    """Sum the plugged bytes of every slot: differences of the running total at the slots' borders."""
    if not len(extents):
        return np.zeros(len(offset), dtype=np.int64)
    starts, ends = extents[:, 0], extents[:, 1]
    before = np.concatenate(([0], np.cumsum(ends - starts)))

    def total(up_to: Bytes) -> Bytes:
        index = np.searchsorted(starts, up_to, side="left")
        inside = np.clip(up_to - starts[index - 1], 0, (ends - starts)[index - 1])
        return np.where(index > 0, before[index - 1] + inside, 0).astype(np.int64)

    return total(offset + size) - total(offset)


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
        The device-memory container; size 0 where there is none.
    devices
        In address order.
    consumers
        KVM first (if used), then every vhost back end.
    root
        The device-memory container with everything in it; None where there is none.
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

    @classmethod
    def of(cls, machine: "Vm") -> "Layout":
        """Take the picture of a machine."""
        pc, spaces = machine.layout, len(machine.kvm_used)
        pieces = (RamPiece(0, pc.below_4g), RamPiece(pc.above_4g_start, pc.above_4g))
        return cls(
            rules=machine.rules.name,
            ram=tuple(one for one in pieces if one.size),
            base=pc.device_memory_base,
            size=pc.device_memory_size,
            devices=tuple(DeviceLayout.of(one) for one in sorted(machine.devices, key=lambda one: one.addr)),
            consumers=_consumers(machine),
            root=machine.device_memory,
            view=machine.view,
            # on pc both KVM address spaces share one flat view; q35's SMM space always has one of its own
            accelerators=("KVM",) * (spaces if machine.scenario.chipset == "pc" else min(spaces, 1)),
            warnings=tuple(machine.warnings),
        )

    @property
    def memslot_sizes(self) -> Bytes:
        """Bytes of every memslot that memory devices have mapped, in address order."""
        return np.fromiter((one.size for one in self.view), dtype=np.int64, count=len(self.view))

    @property
    def memslot_bases(self) -> Bytes:
        """Guest-physical start of every memslot of `memslot_sizes`."""
        return np.fromiter((one.start for one in self.view), dtype=np.int64, count=len(self.view))

    def info_mtree(self, *, flat: bool = False) -> str:
        """Return QEMU's text for the device-memory part of ``info mtree``, or of ``info mtree -f``.

        Indented as QEMU does inside the system address space; lines are joined without a last newline.
        """
        if flat:
            return "\n".join(mtree.flat_lines(self.view, accelerators=self.accelerators))
        return "\n".join(mtree.tree_lines(self.root, level=2)) if self.root else ""

    def changes(self, to: "Layout") -> tuple[Change, ...]:
        """Return what memory listeners see when this layout becomes `to`."""
        return self.view.changes(to.view)


def _consumers(machine: "Vm") -> tuple[Consumer, ...]:
    budget = machine.budget
    reserved = machine.rules.reserved(budget.required, budget.used)
    found = []
    if machine.kvm_used:
        boot = boot_slots(machine.scenario, running=machine.running).kvm
        found.append(Consumer("KVM", machine.scenario.kvm_slots, boot, len(machine.view), reserved))
    for one in machine.vhosts:
        if one.refused or one.removed:
            continue
        limit = None if one.backend.limit >= UINT_MAX else one.backend.limit
        found.append(Consumer(one.backend.id, limit, one.boot_regions, len(one.sections), reserved))
    return tuple(found)
