"""The PC around the memory devices: where its RAM lies and how many memslots it takes by itself.

Sources: hw/i386/pc.c, pc_piix.c, pc_q35.c (QEMU 7.2 to 10.0); slot counts measured on QEMU 10.0 and on 7.2 with
the RFC series.
"""

from dataclasses import dataclass, replace
from typing import Final

from workbook.lib.errors import BadInput, Refusal
from workbook.lib.scenario import U64, Scenario
from workbook.lib.size import GiB, MiB, TiB, format_size, round_up
from workbook.lib.trace import Trace

from .compat import compat_switch

__all__ = ("PcLayout", "largest_maxmem", "pc_layout")

_4G: Final = 4 * GiB
AMD_HT_START: Final = 0xFD_0000_0000
"""1012 GiB: start of the range that AMD's IOMMU reserves (hw/i386/pc.c)."""
AMD_ABOVE_1TB_START: Final = TiB
MAX_RAM_SLOTS: Final = 256
"""ACPI_MAX_RAM_SLOTS."""
TARGET_PAGE: Final = 4096
_PCI_HOLE64: Final = {"q35": 32 * GiB, "pc": 2 * GiB}
_CXL_REGISTERS: Final = MiB
_CXL_WINDOW_ALIGN: Final = 256 * MiB
_Q35_THRESHOLD, _Q35_LOW = 0xB000_0000, 2 * GiB
_PC_THRESHOLD, _PC_LOW = 0xE000_0000, 3 * GiB
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
        The "device-memory" container; size 0 if there is none. With `slots` it is 1 GiB per slot larger than
        what ``-m`` leaves for devices.
    """

    below_4g: int
    above_4g: int
    above_4g_start: int
    device_memory_base: int
    device_memory_size: int


def pc_layout(scenario: Scenario) -> PcLayout:
    """Lay out a PC's RAM and device memory.

    Raises
    ------
    Refusal
        QEMU refuses the ``-m`` values (order and words of hw/core/machine.c and hw/i386/pc.c); where addresses do not
        suffice the advice has the largest maxmem that fits.
    """
    try:
        return _layout(scenario)
    except Refusal as refusal:
        refusal.advice = refusal.advice or _fitting(scenario)
        raise


def _layout(scenario: Scenario) -> PcLayout:
    _check_memory_sizes(scenario)
    below = _below_4g(scenario)
    above = scenario.ram - below
    size = scenario.device_memory_size if scenario.has_device_memory else 0
    if size and compat_switch("enforce_aligned_dimm", scenario.machine_version, default=True):
        size = (size + scenario.ram_slots * GiB) & U64
    layout = _laid_out(below, above, _4G, size)
    end = _end(scenario, layout)
    moves = scenario.cpu_vendor == "amd" and compat_switch(
        "enforce_amd_1tb_hole", scenario.machine_version, default=True
    )
    if moves and end > AMD_HT_START:
        layout = _laid_out(below, above, AMD_ABOVE_1TB_START, size)
        end = _end(scenario, layout)
    if scenario.phys_bits is not None:
        _check_addresses(scenario, end, scenario.phys_bits)
    if scenario.has_device_memory:
        _check_device_memory(scenario)
    if scenario.phys_bits is None:
        _check_addresses(scenario, end, MOST_PHYS_BITS)
    return layout


def _laid_out(below: int, above: int, start: int, size: int) -> PcLayout:
    """Put RAM above 4 GiB at `start`, and device memory of `size` bytes behind it."""
    return PcLayout(below, above, start, round_up(start + above, GiB) if size else 0, size)


def _end(scenario: Scenario, layout: PcLayout) -> int:
    """Return the first address that nothing uses (``pc_max_used_gpa`` plus one)."""
    above_4g_end = layout.above_4g_start + layout.above_4g
    end = (layout.device_memory_base + layout.device_memory_size) & U64 if layout.device_memory_size else above_4g_end
    if not scenario.long_mode:
        # no 64-bit PCI hole; older machine types do not look at all (broken_32bit_mem_addr_check)
        if compat_switch("broken_32bit_mem_addr_check", scenario.machine_version, default=False):
            return min(end, 1 << (scenario.phys_bits or MOST_PHYS_BITS))
        return end
    if scenario.cxl_windows is not None:
        end += _CXL_REGISTERS
        if scenario.cxl_windows:
            end = round_up(end, _CXL_WINDOW_ALIGN) + sum(scenario.cxl_windows)
    hole = _PCI_HOLE64[scenario.chipset] if scenario.pci_hole64_size is None else scenario.pci_hole64_size
    return (round_up(end, GiB) + hole) & U64


def largest_maxmem(scenario: Scenario, *, slots: int | None = None) -> int | None:
    """Return the largest maxmem, in bytes and whole MiB, whose addresses fit; None where even the RAM does not.

    Parameters
    ----------
    slots
        DIMM slots: each takes a GiB of addresses. None: the scenario's.
    """
    slots = min(scenario.ram_slots if slots is None else slots, MAX_RAM_SLOTS)

    def fits(mebibytes: int) -> bool:
        maxmem = max(mebibytes * MiB, scenario.ram)
        try:
            _layout(replace(scenario, maxmem=maxmem, ram_slots=slots if maxmem > scenario.ram else 0))
        except Refusal:
            return False
        return True

    low, high = -(-scenario.ram // MiB), (1 << (scenario.phys_bits or MOST_PHYS_BITS)) // MiB
    if not fits(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low * MiB


def _check_addresses(scenario: Scenario, end: int, bits: int) -> None:
    """Check that a CPU can address what lies below `end`."""
    if end <= 1 << bits:
        return
    trace = Trace()
    trace.bytes("RAM", scenario.ram, "size of -m")
    if scenario.has_device_memory:
        trace.bytes("device memory", scenario.device_memory_size, "maxmem less RAM")
        trace.bytes("slack", scenario.ram_slots * GiB, f"1 GiB for each of {scenario.ram_slots} DIMM slots")
    if scenario.cxl_windows:
        trace.bytes("CXL windows", sum(scenario.cxl_windows), "behind the device memory")
    if scenario.long_mode:
        hole = _PCI_HOLE64[scenario.chipset] if scenario.pci_hole64_size is None else scenario.pci_hole64_size
        trace.bytes("64-bit PCI hole", hole, f"pci-hole64-size of {scenario.chipset}")
    trace.bytes("end of the address space", end, "of all of these, aligned")
    trace.bytes("addressable", 1 << bits, f"{bits} physical address bits")
    raise Refusal(
        f"Address space limit {(1 << bits) - 1:#x} < {end - 1:#x} phys-bits too low ({bits})",
        "",
        reason=tuple(trace.steps),
    )


def _fitting(scenario: Scenario) -> str:
    """Advise on sizes that fit where a scenario's do not."""
    shown = []
    for slots in dict.fromkeys((scenario.ram_slots, 0)):
        most = largest_maxmem(scenario, slots=slots)
        if most is not None and most > scenario.ram:
            shown.append(f"maxmem={most // MiB}M with slots={slots} ({format_size(most)})")
    if shown:
        return f"the most that fits is {', or '.join(shown)}; or give -cpu more phys-bits"
    plain = replace(scenario, maxmem=scenario.ram, ram_slots=0)
    if largest_maxmem(plain) is not None:
        return "no maxmem fits, the RAM alone does: drop maxmem=, or give -cpu more phys-bits"
    return "even the RAM does not fit: give -cpu more phys-bits, or less RAM"


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
