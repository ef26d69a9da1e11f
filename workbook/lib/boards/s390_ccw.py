"""The s390x machine ``s390-ccw-virtio``: RAM at 0, device memory behind it.

Sources: hw/s390x/s390-virtio-ccw.c, target/s390x/kvm/kvm.c (QEMU 10.2), compared with QEMU 10.0.13 and 11.1.3 under
TCG; what only KVM does is from the source.
"""

from collections.abc import Mapping
from typing import Final

from workbook.lib.errors import Refusal
from workbook.lib.memory.flatview import FlatView, render
from workbook.lib.memory.region import ADDRESS_SPACE_SIZE, MemoryRegion
from workbook.lib.scenario import Scenario
from workbook.lib.size import GiB, MiB, TiB, round_up

from .pc import PcLayout

__all__ = ("KVM_SLOT_MAX_BYTES", "s390_layout", "s390_view")

KVM_SLOT_MAX_BYTES: Final = 4 * TiB
"""QEMU registers larger RAM in pieces of this size (``kvm_set_max_memslot_size``)."""
_LEAST_RAM: Final = 2 * MiB


def s390_layout(scenario: Scenario) -> PcLayout:
    """Lay out RAM and device memory (``s390_memory_init``); slots= adds no slack and has no limit.

    Raises
    ------
    Refusal
        RAM that is no whole MiB, or too little for the firmware.
    """
    if scenario.ram % MiB:
        raise Refusal("ram size must be multiples of 1 MiB", "give -m in whole MiB")
    size = scenario.device_memory_size if scenario.has_device_memory else 0
    if scenario.ram < _LEAST_RAM:
        raise Refusal("not enough RAM to load the BIOS file", "give -m 2M or more")
    return PcLayout(scenario.ram, 0, 0, round_up(scenario.ram, GiB) if size else 0, size)


def s390_view(scenario: Scenario, backends: Mapping[str, MemoryRegion]) -> FlatView:
    """Return the boot RAM: one range."""
    ((backend, size), *_) = scenario.ram_backends
    ram = MemoryRegion.ram("s390.ram", size) if backend is None else backends[backend.id]
    return render(MemoryRegion.container("system", ADDRESS_SPACE_SIZE, (ram,)))
