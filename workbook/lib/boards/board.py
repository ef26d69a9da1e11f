"""Which board a scenario has: its layout, its boot memory, and the memslots of both."""

from collections.abc import Mapping

from workbook.lib.memory.flatview import FlatView
from workbook.lib.memory.region import MemoryRegion
from workbook.lib.rules.behaviour import QemuBehaviour
from workbook.lib.scenario import Scenario
from workbook.lib.size import round_up

from .arm_virt import virt_layout, virt_view
from .pc import PcLayout, pc_layout
from .pc_memory import PcMemory, kvm_memslots
from .s390_ccw import KVM_SLOT_MAX_BYTES, s390_layout, s390_view

__all__ = ("board_layout", "boot_memslots", "boot_view", "has_apic", "is_pc")


def is_pc(scenario: Scenario) -> bool:
    """Return whether the board is a PC, with its firmware, its versions' quirks and its legacy memory."""
    return scenario.chipset in ("q35", "pc")


def has_apic(scenario: Scenario) -> bool:
    """Return whether ``-cpu`` leaves the local APIC on."""
    return scenario.cpu is None or not {"-apic", "apic=off"} & set(scenario.cpu.features)


def board_layout(scenario: Scenario) -> PcLayout:
    """Lay out the RAM and the device memory of a scenario's board.

    Raises
    ------
    Refusal
        QEMU refuses the sizes.
    """
    match scenario.chipset:
        case "virt":
            return virt_layout(scenario)
        case "s390-ccw-virtio":
            return s390_layout(scenario)
    return pc_layout(scenario)


def boot_view(
    scenario: Scenario,
    layout: PcLayout,
    backends: Mapping[str, MemoryRegion],
    qemu: QemuBehaviour,
    *,
    running: bool,
    in_smm: bool = False,
    apic: bool = True,
) -> FlatView:
    """Return what lies around device memory.

    Parameters
    ----------
    backends
        RAM of the memory backends by id.
    running
        After the firmware; otherwise while the devices of the command line are made.
    in_smm
        As x86's system-management mode sees it.
    apic
        See `has_apic`; apart from the scenario, in whose comparison the CPU's features do not count.
    """
    match scenario.chipset:
        case "virt":
            return virt_view(scenario, backends)
        case "s390-ccw-virtio":
            return s390_view(scenario, backends)
    memory = PcMemory(scenario, layout, backends, window_needs_smm=qemu.q35_window_needs_smm, apic=apic)
    return memory.view(running=running, in_smm=in_smm)


def boot_memslots(chipset: str, view: FlatView) -> int:
    """Count the KVM memslots of a view, device memory's or the boot memory's: s390x cuts ranges at 4 TiB."""
    if chipset != "s390-ccw-virtio":
        return kvm_memslots(view)
    return sum(round_up(one.size, KVM_SLOT_MAX_BYTES) // KVM_SLOT_MAX_BYTES for one in view)
