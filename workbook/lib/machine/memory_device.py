"""Memory devices on their bus: the plug checks in QEMU's order and words, and first-fit placement.

Sources: hw/mem/memory-device.c, hw/mem/pc-dimm.c (QEMU 7.2 with the RFC series, 8.2, 10.0; facts A.07, A.08, B.6).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from workbook.lib.boards.pc import PcLayout
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.memory.region import MemoryRegion
from workbook.lib.rules.base import Decision, RuleSet
from workbook.lib.scenario import Dimm, MemoryBackend, Pmem, VirtioMem
from workbook.lib.size import KiB, MiB, format_size, round_up

from .virtio_mem import HOST_PAGE, MIN_BLOCK_SIZE, VirtioMemDevice, default_block_size

__all__ = ("MemoryDevice", "Placement", "check_realize", "check_virtio_mem_properties", "dimm_slot", "place")


@dataclass
class MemoryDevice:
    """A plugged memory device.

    Attributes
    ----------
    addr
        Guest-physical start.
    decision
        How its RAM is cut.
    virtio_mem
        The device's state; None for DIMMs and virtio-pmem, which are mapped as a whole.
    slot
        DIMM slot.
    hotplugged
        Came by ``device_add``.
    """

    spec: VirtioMem | Dimm | Pmem
    backend: MemoryBackend
    ram: MemoryRegion
    addr: int
    decision: Decision
    virtio_mem: VirtioMemDevice | None = None
    slot: int = 0
    hotplugged: bool = False
    _shown: tuple[object, MemoryRegion] | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """The device's id, as error texts show it."""
        return self.spec.id or ""

    @property
    def size(self) -> int:
        """Bytes of its memory region."""
        return self.ram.size

    @property
    def end(self) -> int:
        """First guest-physical address behind it."""
        return self.addr + self.size

    @property
    def mapped(self) -> int:
        """Memslots that it uses now."""
        return len(self.virtio_mem.mapped) if self.virtio_mem else 1

    def region(self, rules: RuleSet, base: int) -> MemoryRegion:
        """Return what the device puts into the device-memory container that starts at `base`."""
        if self.virtio_mem is None or self.decision.direct:
            return self.ram.at(self.addr - base)
        mapped = self.virtio_mem.mapped
        if self._shown is None or self._shown[0] is not mapped:
            # slots do not overlap, so their order is free: ascending is rendered fastest
            cut = replace(self.decision, limit=0, trace=())
            aliases = _slot_aliases(self.ram, cut, rules.slot_name, unmergeable=rules.unmergeable)
            slots = [aliases[index] for index in mapped]
            container = MemoryRegion.container(rules.container_name, self.size, slots[::-1])
            self._shown = (mapped, container)
        return self._shown[1].at(self.addr - base)

    def qmp(self) -> dict[str, Any]:
        """Return the element of ``query-memory-devices``."""
        identity = {"id": self.spec.id} if self.spec.id is not None else {}
        memdev = f"/objects/{self.backend.id}"
        if self.virtio_mem:
            device = self.virtio_mem
            data = {
                "memaddr": self.addr,
                "node": device.node,
                "requested-size": device.requested_size,
                "size": device.size,
                "max-size": self.size,
                "block-size": device.block_size,
                "memdev": memdev,
            }
        elif isinstance(self.spec, Dimm):
            data = {
                "addr": self.addr,
                "slot": self.slot,
                "node": self.spec.node,
                "size": self.size,
                "memdev": memdev,
                "hotplugged": self.hotplugged,
                "hotpluggable": True,
            }
        else:
            data = {"memaddr": self.addr, "size": self.size, "memdev": memdev}
        return {"type": self.spec.type, "data": identity | data}

    def monitor_lines(self) -> list[str]:
        """Return the lines of ``info memory-devices``: sizes decimal, addresses hexadecimal."""
        element = self.qmp()
        lines = [f'Memory device [{element["type"]}]: "{self.id}"']
        for key, value in element["data"].items():
            if key == "id":
                continue
            shown = (
                f"{value:#x}"
                if key in {"memaddr", "addr"}
                else str(value).lower()
                if isinstance(value, bool)
                else value
            )
            lines.append(f"  {key}: {shown}")
        return lines


class _SlotAliases(dict[int, MemoryRegion]):
    """The aliases of a device's memslots by index, each made when it is first asked for."""

    def __init__(self, ram: MemoryRegion, cut: Decision, slot_name: str, *, unmergeable: bool) -> None:
        super().__init__()
        self._ram, self._cut, self._slot_name, self._unmergeable = ram, cut, slot_name, unmergeable

    def __missing__(self, index: int) -> MemoryRegion:
        offset, size = self._cut.offset(index), self._cut.size(index)
        name = self._slot_name.format(index)
        alias = MemoryRegion.alias_of(self._ram, name, offset, size, addr=offset, unmergeable=self._unmergeable)
        self[index] = alias
        return alias


@lru_cache(maxsize=32)
def _slot_aliases(ram: MemoryRegion, cut: Decision, slot_name: str, *, unmergeable: bool) -> _SlotAliases:
    """Return the same aliases for the same device: a slider that moves makes a machine for every step."""
    return _SlotAliases(ram, cut, slot_name, unmergeable=unmergeable)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a device goes, and what QEMU warns of on the way."""

    addr: int
    warnings: tuple[str, ...] = ()


def place(
    layout: PcLayout, devices: Iterable[MemoryDevice], size: int, align: int, *, hint: int, size_multiple: int = 1
) -> Placement:
    """Find the address of a new device (``memory_device_get_free_addr``): first fit, ascending.

    Parameters
    ----------
    devices
        Those that are plugged.
    hint
        The address the user wants; 0 for none.
    size_multiple
        What the size must be a multiple of (QEMU before 8.2: the alignment).

    Raises
    ------
    Refusal
        With the words of hw/mem/memory-device.c.
    """
    base, end = layout.device_memory_base, layout.device_memory_base + layout.device_memory_size
    warnings: tuple[str, ...] = ()
    if base % align:
        fragmented = (
            f"the alignment ({align:#x}) exceeds the expected maximum alignment, memory will get fragmented "
            "and not all 'maxmem' might be usable for memory devices."
        )
        warnings = (fragmented,)
    try:
        return Placement(_free_addr(devices, (base, end), size, align, hint, size_multiple), warnings)
    except Refusal as refusal:
        refusal.warnings = warnings
        raise


def _free_addr(
    devices: Iterable[MemoryDevice], area: tuple[int, int], size: int, align: int, hint: int, size_multiple: int
) -> int:
    base, end = area
    if hint % align:
        raise Refusal(f"address must be aligned to {align:#x} bytes", f"use {round_up(hint, align):#x}")
    if size % size_multiple:
        raise Refusal(*wrong_size(size_multiple))
    addr = hint or round_up(base, align)
    if hint and (addr < base or addr + size > end):
        raise Refusal(
            f"can't add memory device [{addr:#x}:{size:#x}], "
            f"usable range for memory devices [{base:#x}:{end - base:#x}]",
            "leave the address to QEMU, or stay inside the usable range",
        )
    for other in sorted(devices, key=lambda one: one.addr):
        if other.addr < addr + size and addr < other.end:
            if hint:
                raise Refusal(
                    f"address range conflicts with memory device id='{other.id or '(unnamed)'}'",
                    "leave the address to QEMU, or choose another",
                )
            addr = round_up(other.end, align)
        elif other.addr >= addr + size:
            break
    if addr + size > end:
        raise Refusal(
            "could not find position in guest address space for memory device - memory fragmented due to alignments",
            "raise maxmem or slots=, plug the devices with large blocks first, or use smaller blocks",
        )
    return addr


def wrong_size(multiple: int) -> tuple[str, str]:
    """Return QEMU's words for a memory backend of an odd size, and advice."""
    return f"backend memory size must be multiple of {multiple:#x}", f"use a multiple of {format_size(multiple)}"


def dimm_slot(spec: Dimm, devices: Iterable[MemoryDevice], ram_slots: int) -> int:
    """Choose the DIMM slot (hw/mem/pc-dimm.c).

    Raises
    ------
    Refusal
        No slots, all taken, or the wanted one is.
    """
    taken = {one.slot for one in devices if isinstance(one.spec, Dimm)}
    if spec.slot != -1 and not 0 <= spec.slot < ram_slots:
        raise Refusal(
            f"invalid slot number {spec.slot}, valid range is [0-{(ram_slots - 1) & ((1 << 64) - 1)}]",
            "leave the slot to QEMU, or raise slots= of -m",
        )
    if not ram_slots:
        raise Refusal("no slots where allocated, please specify the 'slots' option", "add slots=N to -m")
    if spec.slot != -1:
        if spec.slot in taken:
            raise Refusal(f"slot {spec.slot} is busy", "choose another slot")
        return spec.slot
    free = next((slot for slot in range(ram_slots) if slot not in taken), None)
    if free is None:
        raise Refusal("no free slots available", "raise slots= of -m")
    return free


def check_virtio_mem_properties(spec: VirtioMem) -> None:
    """Check what QEMU checks while it sets a virtio-mem device's properties.

    Raises
    ------
    Refusal
        The block size is below 1 MiB or not a power of two.
    """
    if spec.block_size and spec.block_size < MIN_BLOCK_SIZE:
        raise Refusal(f"'block-size' property has to be at least {MIN_BLOCK_SIZE:#x}", "use 1 MiB or more")
    if spec.block_size & (spec.block_size - 1):
        raise Refusal("'block-size' property has to be a power of two", "use 1M, 2M, 4M, 8M ...")


def block_size_of(spec: VirtioMem, backend: MemoryBackend) -> int:
    """Return the block size in force."""
    return spec.block_size or default_block_size(backend.page_size)


def unplugged_inaccessible(
    spec: VirtioMem, backend: MemoryBackend, machine_version: tuple[int, int] | None
) -> Literal["on", "off"]:
    """Return whether the guest is told not to touch unplugged memory (x86 only, hw/virtio/virtio-mem.c).

    On by default; "auto" on machine types up to 8.0, off up to 6.2. Auto is off only for private anonymous memory
    with base pages, where reads of unplugged memory hit the shared zero page.
    """
    value = spec.unplugged_inaccessible
    if value is None:
        version = machine_version or (99, 0)
        value = "off" if version <= (6, 2) else "auto" if version <= (8, 0) else "on"
    if value != "auto":
        return value
    return "off" if _has_shared_zero_page(backend) else "on"


def _has_shared_zero_page(backend: MemoryBackend) -> bool:
    return not backend.has_fd and not backend.share and backend.page_size == HOST_PAGE


def check_realize(
    spec: VirtioMem,
    backend: MemoryBackend,
    addr: int,
    *,
    dynamic: bool = False,
    machine_version: tuple[int, int] | None = None,
    prealloc_memdev: bool = False,
    nodes: int = 1,
) -> Iterator[str]:
    """Check what QEMU checks when a placed virtio-mem device is realized; yield its warnings on the way.

    Parameters
    ----------
    dynamic
        Whether the device has dynamic memslots.
    prealloc_memdev
        Whether this QEMU takes a preallocated memory backend.

    Raises
    ------
    Refusal
        In the order and words of hw/virtio/virtio-mem.c.
    """
    block = block_size_of(spec, backend)
    if backend.prealloc and not prealloc_memdev:
        raise Refusal(
            f"'memdev' property specifies a memdev with preallocation enabled: {backend.id}. "
            "Instead, specify 'prealloc=on' for the virtio-mem device. ",
            "move prealloc=on from the memory backend to the device",
        )
    if spec.node >= nodes:
        # the missing blank is QEMU's
        raise Refusal(
            f"'node' property has value '{spec.node}', which exceedsthe number of numa nodes: {nodes}", "use node 0"
        )
    inaccessible = unplugged_inaccessible(spec, backend, machine_version)
    if inaccessible == "off" and not _has_shared_zero_page(backend):
        yield "'unplugged-inaccessible' property set to 'off' with a memdev that does not support the shared zeropage."
    if dynamic and inaccessible != "on":
        raise Refusal(
            "'dynamic-memslots' property set to 'on' requires 'unplugged-inaccessible' to be 'on'",
            "set unplugged-inaccessible=on, or dynamic-memslots=off",
        )
    if block < backend.page_size:
        raise Refusal(
            f"'block-size' property has to be at least the page size ({backend.page_size:#x})",
            f"use {format_size(backend.page_size)} or more",
        )
    if block < default_block_size(backend.page_size):
        default = default_block_size(backend.page_size) // MiB
        yield f"'block-size' property is smaller than the default block size ({default:x} MiB)"
    for what, value in (("'requested-size' property", spec.requested_size), ("'memaddr' property", addr)):
        if value % block:
            raise Refusal(
                f"{what} has to be multiples of 'block-size' ({block:#x})", f"use a multiple of {format_size(block)}"
            )
    if backend.size % block:
        raise Refusal(
            # the missing blank is QEMU's
            f"'memdev' property memdev size has to be multiples of'block-size' ({block:#x})",
            f"use a multiple of {format_size(block)}",
        )


def ram_region(backend: MemoryBackend, machine_version: tuple[int, int] | None = None) -> MemoryRegion:
    """Return the RAM of a memory backend as a region named by its id.

    Machine types up to 3.1 name files and memfds by their path (x-use-canonical-path-for-ramblock-id).
    """
    if backend.size <= 0:
        raise BadInput(f"memory backend {backend.id!r} has size {backend.size}: it must be larger than 0")
    by_path = backend.kind != "ram" and machine_version is not None and machine_version <= (3, 1)
    name = f"/objects/{backend.id}" if by_path else backend.id
    return MemoryRegion.ram(name, backend.size, has_fd=backend.has_fd, page_size=max(backend.page_size, 4 * KiB))
