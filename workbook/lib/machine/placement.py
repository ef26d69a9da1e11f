"""Where a memory device goes: first fit in guest-physical address space, and the first free DIMM slot.

Sources: hw/mem/memory-device.c, hw/mem/pc-dimm.c (QEMU 7.2 with the RFC series, 8.2, 10.0).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from workbook.lib.boards.pc import PcLayout
from workbook.lib.errors import Refusal
from workbook.lib.scenario import Dimm
from workbook.lib.size import format_size, round_up

from .memory_device import MemoryDevice

__all__ = ("Placement", "dimm_slot", "place", "wrong_size")


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
