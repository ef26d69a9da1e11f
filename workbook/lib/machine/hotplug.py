"""Hot-plug: memory backends and devices come and go, with QEMU's checks in QEMU's order and words.

The devices of the command line are plugged the same way, before the machine runs.

Sources: hw/mem/memory-device.c, hw/virtio/virtio-mem.c, hw/virtio/vhost.c (QEMU 7.2 with the RFC series, 8.2, 10.0).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from workbook.lib.block_size import HOST_PAGE
from workbook.lib.boards.board import is_pc
from workbook.lib.boards.compat import compat_switch
from workbook.lib.boards.pc import TARGET_PAGE
from workbook.lib.consumers.plugged_vhost import PluggedVhost
from workbook.lib.consumers.vfio import DMA_ENTRY_LIMIT, MEMSLOTS_WITHOUT_KVM, VfioContainer
from workbook.lib.consumers.vhost_backend import VHOST_KERNEL_DEFAULT, VHOST_USER_BASELINE, VhostBackend
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.rules.base import Budget, Decision
from workbook.lib.rules.monitors import Monitor
from workbook.lib.scenario import Device, Dimm, MemoryBackend, Nvdimm, Pmem, VfioDevice, VhostDevice, VirtioMem

from . import placement, realize
from .memory_device import MemoryDevice, memory_of, ram_region
from .monitor_device import plug_into_monitor
from .parts import MachineParts
from .virtio_mem import USABLE_EXTENT_ARM, USABLE_EXTENT_X86, VirtioMemDevice

__all__ = ("device_del", "is_unplugged_inaccessible", "object_add", "plug", "user_limit")

_NO_MSIX_UNTIL: Final = (9, 2)
"""hw_compat_9_2 takes the MSI-X vectors from virtio-mem-pci, which s390x cannot do without."""
_PRIVATE_FILE: Final = (
    "Discarding RAM in private file mappings is possibly dangerous, because it will modify "
    "the underlying file and will affect other users of the file"
)


def object_add(machine: MachineParts, backend: MemoryBackend) -> None:
    """Make a memory backend (``object-add``).

    Raises
    ------
    Refusal
        The id is taken.
    BadInput
        The size is 0.
    """
    if backend.id in machine.backends:
        duplicate = f"attempt to add duplicate property '{backend.id}' to object (type 'container')"
        raise Refusal(
            duplicate if machine.consumers.running else f"Duplicate ID '{backend.id}' for object", "give it another id"
        )
    ram_region(backend, machine.rules.qemu)
    if backend.shared_fd != machine.rules.qemu.shared_memory_has_fd:
        backend = replace(backend, shared_fd=machine.rules.qemu.shared_memory_has_fd)
    machine.backends[backend.id] = backend


def plug(machine: MachineParts, spec: Device, *, hotplugged: bool) -> None:
    """Make a device, as ``-device`` and ``device_add`` do.

    Parameters
    ----------
    hotplugged
        By ``device_add``.

    Raises
    ------
    Refusal
        As QEMU refuses it.
    Abort
        KVM has no memslot left for what it maps.
    """
    scenario = machine.scenario
    on_bus = not isinstance(spec, Dimm) and not (isinstance(spec, VhostDevice) and spec.driver.startswith("netdev "))
    without_acpi = scenario.chipset == "pc" and not scenario.acpi and not isinstance(machine.rules, Monitor)
    if hotplugged and on_bus and without_acpi:
        raise Refusal("Bus 'pci.0' does not support hotplugging", "switch ACPI on: on pc, PCI hot-plug needs it")
    names = {one.id for one in machine.bus.devices} | {
        one.spec.id for one in machine.consumers.vhosts if not one.removed and not one.refused
    }
    names |= {name for one in machine.consumers.containers for name in one.devices}
    if spec.id is not None and spec.id in names:
        raise Refusal(f"Duplicate ID '{spec.id}' for device", "give every device its own id")
    if isinstance(spec, VhostDevice):
        _plug_vhost(machine, spec)
    elif isinstance(machine.rules, Monitor):
        if isinstance(spec, VfioDevice):
            raise BadInput(f"VFIO devices are modelled with QEMU, not with {machine.rules.program}: leave it out")
        plug_into_monitor(machine, machine.rules, spec)
        machine.consumers.commit()
    elif isinstance(spec, VfioDevice):
        _plug_vfio(machine, spec)
    else:
        _plug_memory(machine, spec, hotplugged=hotplugged)
        machine.consumers.commit(spec.where)


def _plug_memory(machine: MachineParts, spec: VirtioMem | Dimm | Pmem, *, hotplugged: bool) -> None:
    if machine.scenario.chipset == "s390-ccw-virtio" and isinstance(spec, VirtioMem):
        _check_s390_has_virtio_mem(machine, spec)
    # properties are set in the order of a hash table (qobject/qdict.c): memdev before the others that are checked
    backend = _backend_of(machine, spec)
    if isinstance(spec, VirtioMem):
        realize.check_properties(spec)
        for given in (spec.memslots, spec.max_memslots):
            if given is not None:
                machine.rules.check_max_memslots(given)
    slot = 0
    if isinstance(spec, Dimm):
        _check_dimm_hotplug(machine, spec)
        slot = placement.dimm_slot(spec, machine.bus.devices, machine.scenario.ram_slots)
    if machine.rules.qemu.device_memory_first:
        _require_device_memory(machine)
    if backend is None:
        raise Refusal("'memdev' property must be set", "give memdev=, the id of a memory backend")
    ram = memory_of(spec, backend, machine.rules.qemu, _machine_version(machine))
    budget = machine.consumers.budget
    decision = _decide(machine, spec, backend, budget)
    machine.rules.check(budget, decision)
    _require_device_memory(machine)
    align, hint = backend.alignment, spec.addr if isinstance(spec, Dimm) else spec.memaddr
    if isinstance(spec, VirtioMem):
        align = max(align, realize.block_size_of(spec, backend))
    elif isinstance(spec, Dimm) and _has_legacy_alignment(machine):
        align = TARGET_PAGE
    if machine.rules.qemu.size_check == "backend alignment" and ram.size % backend.alignment:
        raise Refusal(*placement.wrong_size(backend.alignment))
    size_multiple = align if machine.rules.qemu.size_check == "address alignment" else 1
    where = placement.place(machine.board, machine.bus.devices, ram.size, align, hint=hint, size_multiple=size_multiple)
    warnings = list(where.warnings)
    try:
        device = _realize(machine, spec, backend, where.addr, decision, warnings)
    except Refusal as refusal:
        refusal.warnings = tuple(warnings)
        raise
    _check_s390(machine, spec, backend)
    _warn(machine, spec, warnings)
    machine.bus.devices.append(MemoryDevice(spec, backend, ram, where.addr, decision, device, slot, hotplugged))


def _check_dimm_hotplug(machine: MachineParts, spec: Dimm) -> None:
    """Check whether the machine takes DIMMs (``pc_memory_pre_plug``)."""
    if machine.scenario.chipset == "virt":
        _check_virt_dimm(machine, spec)
        return
    if not machine.scenario.acpi:
        raise Refusal(
            "memory hotplug is not enabled: missing acpi device or acpi disabled",
            "switch ACPI on, or use virtio-mem-pci, which does without",
        )
    if isinstance(spec, Nvdimm) and not machine.scenario.nvdimm:
        raise Refusal("nvdimm is not enabled: missing 'nvdimm' in '-M'", "add nvdimm=on to -machine")


def _check_virt_dimm(machine: MachineParts, spec: Dimm) -> None:
    """Check whether ``virt`` takes a DIMM (``virt_memory_pre_plug``)."""
    without_acpi = isinstance(spec, Nvdimm) and machine.rules.qemu.nvdimm_without_acpi
    if not machine.scenario.acpi and not without_acpi:
        raise Refusal(
            "memory hotplug is not enabled: missing acpi-ged device",
            "give a firmware (-bios, pflash), a 64-bit -cpu and ACPI, or use virtio-mem-pci, which does without",
        )
    if machine.scenario.mte:
        raise Refusal("memory hotplug is not enabled: MTE is enabled", "mte=off, or virtio-mem-pci, which does without")
    if isinstance(spec, Nvdimm) and not machine.scenario.nvdimm:
        raise Refusal("nvdimm is not enabled: add 'nvdimm=on' to '-M'", "add nvdimm=on to -machine")


def _check_s390_has_virtio_mem(machine: MachineParts, spec: VirtioMem) -> None:
    if not machine.rules.qemu.s390x_virtio_mem:
        raise Refusal(f"'virtio-mem-{spec.transport}' is not a valid device model name", "use QEMU 10.0 or newer")


def _check_s390(machine: MachineParts, spec: VirtioMem | Dimm | Pmem, backend: MemoryBackend) -> None:
    """Check a realized device on s390x: the size of its pages, and what plugs it into PCI (``s390_pcihost_plug``)."""
    scenario = machine.scenario
    if scenario.chipset != "s390-ccw-virtio" or not isinstance(spec, VirtioMem):
        return
    base = (scenario.host and scenario.host.page_size) or HOST_PAGE
    if backend.page_size > max(one.page_size if one else base for one, _ in scenario.ram_backends):
        raise Refusal(
            "Memory device uses a bigger page size than initial memory",
            "give boot RAM a memory backend with pages as large (-machine memory-backend=)",
        )
    version = scenario.machine_version
    if spec.transport != "pci":
        return
    if version is not None and version <= _NO_MSIX_UNTIL:
        raise Refusal(
            "MSI-X support is mandatory in the S390 architecture", "use virtio-mem-ccw, or a newer machine type"
        )


def _backend_of(machine: MachineParts, spec: VirtioMem | Dimm | Pmem) -> MemoryBackend | None:
    if spec.memdev is None:
        return None
    if spec.memdev not in machine.backends:
        raise Refusal(f"Device '{spec.memdev}' not found", "make the memory backend first, by -object or object-add")
    return machine.backends[spec.memdev]


def _realize(
    machine: MachineParts,
    spec: VirtioMem | Dimm | Pmem,
    backend: MemoryBackend,
    addr: int,
    decision: Decision,
    warnings: list[str],
) -> VirtioMemDevice | None:
    """Realize a placed device; what QEMU warns of goes to `warnings`, also where it refuses in the end."""
    nodes = machine.scenario.numa_count
    if isinstance(spec, Dimm) and spec.node >= nodes:
        message = f"'DIMM property node has value {spec.node}' which exceeds the number of numa nodes: {nodes}"
        raise Refusal(message, f"nodes are 0 to {nodes - 1}: add -numa node, or name one of them")
    _check_busy(machine, spec, backend)
    if not isinstance(spec, VirtioMem):
        return None
    warnings.extend(
        realize.check_realize(
            spec,
            backend,
            addr,
            dynamic=machine.rules.qemu.dynamic_memslots and not decision.direct,
            machine_version=_machine_version(machine),
            prealloc_memdev=not machine.rules.qemu.refuses_prealloc_memdev,
            nodes=nodes,
        )
    )
    block_size = realize.block_size_of(spec, backend)
    machine.rules.check_cut(decision, block_size)
    # the memory is discarded, which warns once in the life of a QEMU
    function = machine.rules.qemu.discard_warning
    if function and backend.has_fd and not backend.share and not machine.warned_of_discard:
        machine.warned_of_discard = True
        warnings.append(f"{function}: {_PRIVATE_FILE}")
    extent = USABLE_EXTENT_ARM if machine.scenario.chipset == "virt" else USABLE_EXTENT_X86
    return VirtioMemDevice(
        machine.rules, decision, block_size, addr, backend.size, spec.requested_size, spec.node, extent
    )


def _check_busy(machine: MachineParts, spec: VirtioMem | Dimm | Pmem, backend: MemoryBackend) -> None:
    if backend.id in machine.scenario.ram_backend_ids or any(
        one.backend.id == backend.id for one in machine.bus.devices
    ):
        words = "'memdev' property specifies a" if isinstance(spec, VirtioMem) else "can't use already"
        raise Refusal(f"{words} busy memdev: {backend.id}", "give every device its own memory backend")


def _decide(machine: MachineParts, spec: VirtioMem | Dimm | Pmem, backend: MemoryBackend, budget: Budget) -> Decision:
    if not isinstance(spec, VirtioMem) or not machine.rules.is_dynamic(dynamic_memslots=_wants_dynamic(machine, spec)):
        return machine.rules.whole(backend.size)
    # the RFC hands down the block size as the user gave it, 0 if not at all
    block = spec.block_size if machine.rules.decides_with_given_block_size else realize.block_size_of(spec, backend)
    if machine.rules.will_fail_realize(backend.size, block, backend.page_size):
        return Decision(1, 1, backend.size, backend.size)
    return machine.rules.decide(budget, backend.size, block, user_limit(machine, spec))


def _wants_dynamic(machine: MachineParts, spec: VirtioMem) -> bool | None:
    """Return ``dynamic-memslots``; None where neither the user nor the distribution says anything."""
    if spec.dynamic_memslots is None and machine.scenario.distribution == "rhel":
        return True
    return spec.dynamic_memslots


def _machine_version(machine: MachineParts) -> tuple[int, int]:
    """Return the version of the machine type; that of QEMU itself where the type has none."""
    given = machine.scenario.machine_version if is_pc(machine.scenario) else None
    return given or machine.rules.qemu.version[:2]


def _has_legacy_alignment(machine: MachineParts) -> bool:
    """Return whether DIMMs are aligned to the target page alone (``legacy_align``, hw/mem/memory-device.c)."""
    old = not compat_switch("enforce_aligned_dimm", _machine_version(machine), default=True)
    return old and machine.rules.qemu.legacy_alignment


def is_unplugged_inaccessible(machine: MachineParts, device: MemoryDevice) -> bool:
    """Return whether a virtio-mem device offers VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE, which its driver must accept."""
    spec = device.spec
    version = _machine_version(machine)
    return isinstance(spec, VirtioMem) and realize.unplugged_inaccessible(spec, device.backend, version) == "on"


def user_limit(machine: MachineParts, spec: VirtioMem) -> int:
    """Return the user's memslot limit for a device, or the machine type's; 0 for automatic."""
    if spec.memslots is not None:
        return spec.memslots
    if spec.max_memslots is not None:
        return spec.max_memslots
    return machine.rules.default_max_memslots(_machine_version(machine))


def _require_device_memory(machine: MachineParts) -> None:
    if not machine.board.device_memory_size:
        raise Refusal(
            machine.rules.qemu.no_device_memory,
            "add maxmem= to -m, at least RAM plus all memory devices",
        )


def _plug_vhost(machine: MachineParts, spec: VhostDevice) -> None:
    name = spec.id or f"unnamed{len(machine.consumers.vhosts)}"
    if spec.kernel:
        host = machine.scenario.host
        limit = ((host and host.max_mem_regions) or VHOST_KERNEL_DEFAULT) if spec.slots is None else spec.slots
    else:
        limit = VHOST_USER_BASELINE if spec.slots is None else min(spec.slots, machine.rules.qemu.vhost_user_max)
    plugged = PluggedVhost(spec, VhostBackend(name, limit, kernel=spec.kernel))
    plugged.boot_regions = machine.consumers.boot_regions(plugged)
    machine.consumers.vhosts.append(plugged)
    try:
        automatic = sum(1 for one in machine.bus.devices if one.decision.count > 1)
        machine.rules.check_vhost_limit(limit, automatic)
        plugged.commit(plugged.backend.sections(machine.bus.view), one_transaction=True)
        machine.consumers.count.committed(plugged.backend, plugged.used)
        reserved = machine.rules.reserved(machine.consumers.budget.required, machine.consumers.budget.used)
        try:
            machine.rules.check_vhost_used(limit, machine.consumers.count.used(plugged.backend), reserved)
        except Refusal:
            machine.consumers.count.removed(plugged.backend)
            raise
    except Refusal:
        plugged.refused = True
        plugged.sections = ()
        raise
    finally:
        plugged.connect()


def _plug_vfio(machine: MachineParts, spec: VfioDevice) -> None:
    """Attach a host device: the first one of a container lets it see all memory (``vfio_container_connect``)."""
    qemu = machine.rules.qemu
    if spec.iommufd is not None and not qemu.vfio_iommufd:
        raise Refusal(f"Property '{spec.driver}.iommufd' not found", "use QEMU 9.0 or newer, or leave iommufd= out")
    containers = machine.consumers.containers
    container = next((one for one in containers if one.iommufd == spec.iommufd), None)
    if container is None:
        host = machine.scenario.host
        limit = (host and host.vfio_dma_entries) or DMA_ENTRY_LIMIT
        container = VfioContainer(
            iommufd=spec.iommufd,
            available=limit if spec.iommufd is None else None,
            max_memslots=machine.scenario.kvm_slots if machine.scenario.accel == "kvm" else MEMSLOTS_WITHOUT_KVM,
        )
        said = machine.consumers.connect_vfio(container)
        if said and qemu.vfio_check_is_error:
            region = min(container.sections).region
            raise Refusal(
                f"memory listener initialization failed: Region {region}: {said[0]}",
                machine.consumers.vfio_advice(container),
                reason=container.reason(),
            )
        _warn(machine, spec, said)
        containers.append(container)
    container.devices.append(spec.id or f"unnamed{sum(len(one.devices) for one in containers)}")


def _unplug_vfio(machine: MachineParts, container: VfioContainer, name: str) -> None:
    container.devices.remove(name)
    if not container.devices:
        machine.consumers.containers.remove(container)


def device_del(machine: MachineParts, name: str) -> None:
    """Remove a device (``device_del``), the guest being willing.

    Raises
    ------
    Refusal
        The device refuses, or no device has that id.
    """
    for plugged in machine.consumers.vhosts:
        if plugged.spec.id == name and not plugged.removed and not plugged.refused:
            plugged.remove(stopped_first=machine.rules.qemu.stops_removed_vhost)
            machine.consumers.count.removed(plugged.backend)
            return
    for container in machine.consumers.containers:
        if name in container.devices:
            _unplug_vfio(machine, container, name)
            return
    if all(one.spec.id != name for one in machine.bus.devices):
        known = [one.spec.id for one in machine.bus.devices] + [one.spec.id for one in machine.consumers.vhosts]
        raise Refusal(f"Device '{name}' not found", f"known are {known}")
    device = machine.bus.device(name)
    if device.virtio_mem is not None:
        _check_unplug(machine, device, device.virtio_mem)
    elif isinstance(device.spec, Pmem):
        raise Refusal(machine.rules.qemu.pmem_unplug_error, "restart without it")
    machine.bus.devices.remove(device)
    machine.consumers.commit()


def _check_unplug(machine: MachineParts, plugged: MemoryDevice, device: VirtioMemDevice) -> None:
    if not machine.rules.qemu.unpluggable:
        raise Refusal("virtio based memory devices cannot be unplugged.", "shrink it to 0 instead")
    for wrong, what in (
        (not is_unplugged_inaccessible(machine, plugged), "'unplugged-inaccessible' != 'on'"),
        (device.size != 0, machine.rules.qemu.plugged_words),
        (device.requested_size != 0, "'requested-size' != '0'"),
    ):
        if wrong:
            raise Refusal(
                f"virtio-mem device cannot get unplugged while {what}", "request size 0 and let the guest unplug"
            )


def _warn(machine: MachineParts, spec: Device, warnings: Sequence[str]) -> None:
    prefix = f"{spec.where}: " if spec.where else ""
    machine.warnings.extend(f"{prefix}warning: {one}" for one in warnings)
