"""The aarch64 machine ``virt``: RAM at 1 GiB, device memory behind it, two flash devices below.

Sources: hw/arm/virt.c (QEMU 10.2), compared with QEMU 10.0.13 and 11.1.3 under TCG.
"""

from collections.abc import Mapping
from typing import Final

from workbook.lib.errors import Refusal
from workbook.lib.memory.flatview import FlatView, render
from workbook.lib.memory.region import ADDRESS_SPACE_SIZE, MemoryRegion
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB, MiB, format_size, round_up

from .pc import PcLayout

__all__ = ("DEFAULT_CPU", "MAX_RAM_SLOTS", "MTE_CPUS", "PHYS_BITS", "virt_layout", "virt_view")

_RAM_START: Final = GiB
_FLASH: Final = 64 * MiB
MAX_RAM_SLOTS: Final = 256
"""ACPI_MAX_RAM_SLOTS."""
DEFAULT_CPU: Final = "cortex-a15"
"""A 32-bit CPU; it has LPAE."""
PHYS_BITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("cortex-a7", "cortex-a15", "cortex-a35", "cortex-a53", "cortex-a55", "cortex-a76"), 40),
    **dict.fromkeys(("cortex-a710", "a64fx"), 40),
    **dict.fromkeys(("cortex-a57", "cortex-a72"), 44),
    **dict.fromkeys(("neoverse-n1", "neoverse-v1", "neoverse-n2"), 48),
    "max": 52,
}
"""Physical address bits by CPU model, seen with QEMU 11.1.3."""
MTE_CPUS: Final = ("cortex-a710", "neoverse-n2", "max")
"""CPU models that can tag memory under TCG, seen with QEMU 11.1.3."""


def virt_layout(scenario: Scenario) -> PcLayout:
    """Lay out RAM and device memory of ``virt`` (``virt_set_memmap``).

    Raises
    ------
    Refusal
        More than 256 DIMM slots, or more addresses than the CPU has.
    """
    slots = scenario.ram_slots
    if slots > MAX_RAM_SLOTS:
        raise Refusal(f"unsupported number of memory slots: {slots}", f"virt has at most {MAX_RAM_SLOTS} DIMM slots")
    size = scenario.device_memory_size + slots * GiB if scenario.has_device_memory else 0
    base = round_up(_RAM_START + scenario.ram, GiB)
    end = base + round_up(size, GiB)
    bits = scenario.phys_bits
    if bits is not None and end > 1 << bits:
        raise Refusal(
            f"Addressing limited to {bits} bits, but memory exceeds it by {end - (1 << bits)} bytes",
            f"name a -cpu with more address bits, or less than {format_size(scenario.maxmem)} maxmem",
        )
    return PcLayout(0, scenario.ram, _RAM_START, base if size else 0, size)


def virt_view(scenario: Scenario, backends: Mapping[str, MemoryRegion]) -> FlatView:
    """Return the boot RAM and the flash of ``virt``: three KVM memslots, one region for vhost."""
    flash = [MemoryRegion.ram(f"virt.flash{unit}", _FLASH, readonly=True).at(unit * _FLASH) for unit in range(2)]
    pieces, at = [], _RAM_START
    for backend, size in scenario.ram_backends:
        one = MemoryRegion.ram("mach-virt.ram", size) if backend is None else backends[backend.id]
        pieces.append(one.at(at))
        at += size
    return render(MemoryRegion.container("system", ADDRESS_SPACE_SIZE, (*flash, *pieces)))
