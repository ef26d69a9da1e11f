"""Memory devices of another VMM than QEMU: they come with the VM, and the monitor decides what they are."""

from workbook.lib.errors import BadInput
from workbook.lib.memory.region import MemoryRegion
from workbook.lib.rules.monitors import Monitor
from workbook.lib.scenario import Dimm, Nvdimm, Pmem, VirtioMem

from .memory_device import MemoryDevice
from .parts import MachineParts
from .virtio_mem import VirtioMemDevice

__all__ = ("monitor_notes", "plug_into_monitor")


def plug_into_monitor(machine: MachineParts, monitor: Monitor, spec: VirtioMem | Dimm | Pmem) -> None:
    """Make a memory device of a monitor.

    Raises
    ------
    Refusal
        The monitor refuses it.
    BadInput
        The monitor has no such device.
    """
    backend = machine.backends.get(spec.memdev or "")
    if backend is None:
        raise BadInput(
            f"device {spec.id!r:.60} has no memory backend {spec.memdev!r:.60}: give memdev= and its -object"
        )
    taken = [(one.addr, one.end) for one in machine.bus.devices]
    if isinstance(spec, Dimm) and not isinstance(spec, Nvdimm):
        monitor.check_dimm(backend, sum(1 for one in machine.bus.devices if isinstance(one.spec, Dimm)))
        addr = monitor.address(machine.scenario, backend.size, taken)
        ram = MemoryRegion.ram(backend.id, backend.size, has_fd=backend.has_fd)
        machine.bus.devices.append(MemoryDevice(spec, backend, ram, addr, monitor.whole(backend.size)))
        return
    if not isinstance(spec, VirtioMem):
        raise BadInput(f"{monitor.program} has no device of type {spec.type}: virtio-mem is what is modelled")
    if machine.consumers.running:
        raise BadInput(f"{monitor.program} takes virtio-mem before the VM starts: put it into the scenario's devices")
    parameters = monitor.parameters(machine.scenario, spec, backend)
    decision = monitor.cut(parameters, machine.consumers.budget)
    size = parameters.region_size
    addr = monitor.address(machine.scenario, size, taken)
    device = VirtioMemDevice(
        monitor,
        decision,
        parameters.block_size,
        addr,
        size,
        spec.requested_size,
        usable_extent=parameters.usable_extent,
    )
    ram = MemoryRegion.ram(backend.id, size, has_fd=backend.has_fd, page_size=backend.page_size)
    machine.bus.devices.append(MemoryDevice(spec, backend, ram, addr, decision, device))


def monitor_notes(machine: MachineParts, monitor: Monitor) -> list[str]:
    """Return what of the scenario's devices the monitor has no parameter for, one line each."""
    return [
        line
        for one in machine.bus.devices
        if isinstance(one.spec, VirtioMem) and one.virtio_mem
        for line in monitor.passed_over(one.spec, one.virtio_mem.block_size)
    ]
