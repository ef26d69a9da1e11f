"""The PC around the memory devices: where its RAM lies and how many memslots it takes by itself.

Sources: hw/i386/pc.c, pc_piix.c, pc_q35.c (QEMU 7.2 to 10.0); slot counts measured on QEMU 10.0 and on 7.2 with
the RFC series (facts D.1).
"""

from dataclasses import dataclass
from typing import Final

from workbook.lib.errors import BadInput, Refusal
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB, TiB, format_size, round_up

from .compat import compat_switch

__all__ = ("BootSlots", "PcLayout", "boot_slots", "pc_layout")

_4G: Final = 4 * GiB
AMD_HT_START: Final = 0xFD_0000_0000
"""1012 GiB: start of the range that AMD's IOMMU reserves (hw/i386/pc.c)."""
AMD_ABOVE_1TB_START: Final = TiB
MAX_RAM_SLOTS: Final = 256
"""ACPI_MAX_RAM_SLOTS."""
TARGET_PAGE: Final = 4096
_PCI_HOLE64: Final = {"q35": 32 * GiB, "pc": 2 * GiB}
_Q35_THRESHOLD, _Q35_LOW = 0xB000_0000, 2 * GiB
_PC_THRESHOLD, _PC_LOW = 0xE000_0000, 3 * GiB
_DEFAULT_PHYS_BITS: Final = 40
MOST_PHYS_BITS: Final = 52
"""TARGET_PHYS_ADDR_SPACE_BITS (target/i386/cpu-param.h): no CPU has more, whatever is known of it."""


@dataclass(frozen=True, slots=True)
class PcLayout:
    """Where RAM and device memory lie, guest-physical bytes.

    Attributes
    ----------
    below_4g, above_4g
        Sizes of the two pieces of boot RAM.
    above_4g_start
        4 GiB, or 1 TiB where AMD's hole is in the way.
    device_memory_base, device_memory_size
        The "device-memory" container; size 0 where there is none. With `slots` it is 1 GiB per slot larger than
        what ``-m`` leaves for devices.
    """

    below_4g: int
    above_4g: int
    above_4g_start: int
    device_memory_base: int
    device_memory_size: int


@dataclass(frozen=True, slots=True)
class BootSlots:
    """Memslots that the boot RAM takes: in KVM, and in a vhost back end that can map it."""

    kvm: int
    vhost: int


def pc_layout(scenario: Scenario) -> PcLayout:
    """Lay out a PC's RAM and device memory.

    Raises
    ------
    Refusal
        QEMU refuses the ``-m`` values (order and words of hw/core/machine.c and hw/i386/pc.c).
    """
    _check_memory_sizes(scenario)
    below = _below_4g(scenario)
    above = scenario.ram - below
    size = scenario.device_memory_size if scenario.has_device_memory else 0
    if size and compat_switch("enforce_aligned_dimm", scenario.machine_version, default=True):
        size += scenario.ram_slots * GiB
    start = _4G
    base = round_up(start + above, GiB) if size else 0
    hole_end = round_up(max(start + above, base + size), GiB) + _PCI_HOLE64[scenario.chipset]
    moves = scenario.cpu_vendor == "amd" and compat_switch(
        "enforce_amd_1tb_hole", scenario.machine_version, default=True
    )
    if moves and hole_end > AMD_HT_START:
        start = AMD_ABOVE_1TB_START
        base = round_up(start + above, GiB) if size else 0
        hole_end = round_up(max(start + above, base + size), GiB) + _PCI_HOLE64[scenario.chipset]
    if scenario.phys_bits is not None:
        _check_addresses(scenario, hole_end, scenario.phys_bits)
    if scenario.has_device_memory:
        _check_device_memory(scenario)
    if scenario.phys_bits is None:
        _check_addresses(scenario, hole_end, MOST_PHYS_BITS)
    return PcLayout(below, above, start, base, size)


def _check_addresses(scenario: Scenario, end: int, bits: int) -> None:
    """Check that a CPU can address what lies below `end`."""
    if end > 1 << bits:
        raise Refusal(
            f"Address space limit {(1 << bits) - 1:#x} < {end - 1:#x} phys-bits too low ({bits})",
            f"give -cpu more phys-bits, or less than {format_size(scenario.maxmem)} maxmem",
        )


def _below_4g(scenario: Scenario) -> int:
    """Return how much RAM lies below 4 GiB (``pc_init1``, ``pc_q35_init``)."""
    wanted = scenario.max_ram_below_4g
    if scenario.chipset == "q35":
        low = _Q35_LOW if scenario.ram >= _Q35_THRESHOLD else _Q35_THRESHOLD
        return min(low, _4G if wanted is None else wanted, scenario.ram)
    low = wanted or _PC_THRESHOLD
    if scenario.ram >= low:
        low = min(low, _PC_LOW)
    return min(low, scenario.ram)


def _check_memory_sizes(scenario: Scenario) -> None:
    if scenario.ram <= 0:
        raise BadInput("the VM has no RAM: -m must be larger than 0")
    if scenario.maxmem < scenario.ram:
        raise Refusal(
            f"invalid value of maxmem: maximum memory size ({scenario.maxmem:#x}) must be at least "
            f"the initial memory size ({scenario.ram:#x})",
            f"raise maxmem to more than {format_size(scenario.ram)}",
        )
    if scenario.ram_slots and scenario.maxmem == scenario.ram:
        raise Refusal(
            f"invalid value of maxmem: memory slots were specified but maximum memory size ({scenario.maxmem:#x}) "
            f"is equal to the initial memory size ({scenario.ram:#x})",
            f"raise maxmem to more than {format_size(scenario.ram)}, or drop slots=",
        )


def _check_device_memory(scenario: Scenario) -> None:
    if scenario.ram_slots > MAX_RAM_SLOTS:
        raise Refusal(
            f"unsupported amount of memory slots: {scenario.ram_slots}", f"a PC has at most {MAX_RAM_SLOTS} DIMM slots"
        )
    if scenario.maxmem % TARGET_PAGE:
        raise Refusal(
            f"maximum memory size must by aligned to multiple of {TARGET_PAGE} bytes",
            "give maxmem as a multiple of 4 KiB",
        )


def boot_slots(scenario: Scenario, *, running: bool) -> BootSlots:
    """Count the memslots of the boot RAM.

    Parameters
    ----------
    running
        After the firmware has run; otherwise while the devices of the command line are made.

    Notes
    -----
    Measured with 4 GiB of RAM: KVM 7 after the firmware; 3 (q35) and 7 (pc) while devices of the command line
    are made; vhost 2, and 4 on pc before the firmware ran. A VM whose RAM lies below 4 GiB has one less.
    A standard VGA adds 3 for KVM once the firmware has mapped it.
    """
    above = 1 if pc_layout(scenario).above_4g else 0
    if running:
        return BootSlots(6 + above + (3 if scenario.display else 0), 1 + above)
    if scenario.chipset == "q35":
        return BootSlots(2 + above, 1 + above)
    return BootSlots(6 + above, 3 + above)


def default_phys_bits() -> int:
    """Return the physical address bits of QEMU's default CPU models."""
    return _DEFAULT_PHYS_BITS
