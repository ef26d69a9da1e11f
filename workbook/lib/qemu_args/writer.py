"""Write a `Scenario` as a QEMU command line (qemu-options.hx, QEMU 7.2 to 10.0)."""

from collections.abc import Container, Sequence
from typing import Final

from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import (
    DEFAULT_FIRMWARE_SIZE,
    Cpu,
    Dimm,
    MemoryBackend,
    Nvdimm,
    Pmem,
    Scenario,
    VfioDevice,
    VhostDevice,
    VirtioMem,
)
from workbook.lib.size import KiB, MiB, format_size

from .cpu import MAX_PHYS_BITS, CpuOption
from .firmware import FIRMWARE_SIZES
from .machine_option import rhel_machine
from .other_machines import OTHER_PROGRAMS, machine_words

__all__ = ("qemu_size", "write_argv", "write_fixtures")

_DRIVERS: Final = {
    "virtio-mem": "virtio-mem-pci",
    "dimm": "pc-dimm",
    "nvdimm": "nvdimm",
    "virtio-pmem": "virtio-pmem-pci",
}


def qemu_size(size: int) -> str:
    """Print a size as people write it for QEMU, exactly."""
    text = format_size(size).replace(" ", "").removesuffix("iB")
    return text.removesuffix("B")


def write_argv(scenario: Scenario, rules: RuleSet | None = None) -> list[str]:
    """Write the command line that makes the scenario's VM; `read_argv` reads it back to the same scenario.

    Actions, limits of back ends and the rule set are not part of a command line.

    Parameters
    ----------
    rules
        Target QEMU: properties that it does not know are left out.
    """
    if scenario.chipset in OTHER_PROGRAMS.values():
        options, cpu = machine_words(scenario)
    else:
        options, cpu = _write_machine(scenario), _write_cpu(scenario)
    memory = [qemu_size(scenario.ram) if scenario.ram % MiB == 0 else f"{scenario.ram}B"]
    if scenario.ram_slots:
        memory.append(f"slots={scenario.ram_slots}")
    if scenario.has_device_memory:
        memory.append(f"maxmem={qemu_size(scenario.maxmem)}")
    argv = [f"qemu-system-{scenario.program}", "-accel", scenario.accel, "-machine", ",".join(options)]
    argv += [*cpu, "-nodefaults"]
    argv += ["-m", ",".join(memory)]
    if scenario.incoming:
        argv += ["-incoming", "defer"]
    if scenario.pci_hole64_size is not None:
        bridge = {"q35": "q35-pcihost", "pc": "i440FX-pcihost"}[scenario.chipset]
        argv += ["-global", f"{bridge}.pci-hole64-size={qemu_size(scenario.pci_hole64_size)}"]
    base_page = (scenario.host.page_size if scenario.host else None) or 4 * KiB
    for backend in scenario.backends:
        argv += ["-object", _write_backend(backend, base_page)]
    if scenario.numa:
        most = len(scenario.numa)
        argv += ["-smp", str(most)] if most > 1 else []
    for node in scenario.numa:
        ram = f",memdev={node.memdev}" if node.memdev else f",mem={qemu_size(node.mem)}" if node.mem else ""
        argv += ["-numa", f"node,nodeid={node.nodeid}{ram}"]
    argv += write_fixtures(scenario)
    for number, device in enumerate(scenario.devices):
        if isinstance(device, VfioDevice):
            argv += _write_vfio(device, argv)
        elif isinstance(device, VhostDevice):
            argv += _write_vhost(device, device.id or f"vhost{number}")
        else:
            argv += ["-device", _write_device(device, rules.unknown_properties if rules else ())]
    return argv


def _write_machine(scenario: Scenario) -> list[str]:
    """Write the ``-machine`` of a PC."""
    machine: str = scenario.chipset
    prefix = {"q35": "pc-q35", "pc": "pc-i440fx"}[scenario.chipset]
    if scenario.distribution == "rhel":
        machine = rhel_machine(prefix, scenario.machine_version)
    elif scenario.machine_version:
        machine = f"{prefix}-{scenario.machine_version[0]}.{scenario.machine_version[1]}"
    options = [machine]
    if scenario.ram_backend:
        options.append(f"memory-backend={scenario.ram_backend}")
    if scenario.accel == "kvm" and scenario.smm:
        options.append("smm=on")
    elif scenario.accel != "kvm" and not scenario.smm:
        options.append("smm=off")
    options += [] if scenario.acpi else ["acpi=off"]
    options += ["nvdimm=on"] if scenario.nvdimm else []
    if scenario.max_ram_below_4g is not None:
        options.append(f"max-ram-below-4g={qemu_size(scenario.max_ram_below_4g)}")
    if scenario.cxl_windows is not None:
        options.append("cxl=on")
        for index, size in enumerate(scenario.cxl_windows):
            options += [f"cxl-fmw.{index}.targets.0=cxl{index}", f"cxl-fmw.{index}.size={qemu_size(size)}"]
    flashes = [one.id for one in scenario.fixtures if one.driver == "cfi.pflash01"]
    options += [f"{name}={name}-image" for name in flashes if name]
    return options


def write_fixtures(scenario: Scenario) -> list[str]:
    """Write the displays, network cards and other devices that map memory, flash apart."""
    argv: list[str] = []
    for index, _ in enumerate(scenario.cxl_windows or ()):
        argv += ["-device", f"pxb-cxl,id=cxl{index},bus_nr={64 + 32 * index}"]
    for one in scenario.fixtures:
        if one.driver == "cfi.pflash01":
            continue
        props = ",".join(f"{key}={value.replace(',', ',,')}" for key, value in one.props)
        if one.driver == "option-rom":
            argv += ["-option-rom", props]
            continue
        text = f"{one.driver},id={one.id}" if one.id else one.driver
        argv += ["-device", f"{text},{props}" if props else text]
    if scenario.display and all(one.driver != "VGA" for one in scenario.fixtures):
        argv += ["-device", "VGA"]
    if scenario.firmware_size != DEFAULT_FIRMWARE_SIZE and not any(
        one.driver == "cfi.pflash01" for one in scenario.fixtures
    ):
        name = next((name for name, size in FIRMWARE_SIZES.items() if size == scenario.firmware_size), None)
        argv += ["-bios", name] if name else []
    return argv


def _write_cpu(scenario: Scenario) -> list[str]:
    given = scenario.cpu
    if given is not None:
        text = _cpu_as_given(given)
        found = CpuOption(text, scenario.program).processor(scenario.accel, scenario.host)
        if (found.vendor, found.phys_bits, found.long_mode) == _resolved(scenario):
            return ["-cpu", text]
    plain = CpuOption(None, scenario.program).processor(scenario.accel, scenario.host)
    if (plain.vendor, plain.phys_bits, plain.long_mode) == _resolved(scenario):
        return []
    vendor, bits = scenario.cpu_vendor, scenario.phys_bits
    if not scenario.long_mode:
        return ["-cpu", "pentium" if bits == 32 else "qemu32"]
    if scenario.accel != "kvm":
        # nothing is the host's there: what is not known must not move or refuse anything
        vendor, bits = vendor or "intel", bits or MAX_PHYS_BITS
    name = {"intel": ",vendor=GenuineIntel", "amd": ",vendor=AuthenticAMD", None: ""}[vendor]
    return ["-cpu", f"qemu64{name},{'host-phys-bits=on' if bits is None else f'phys-bits={bits}'}"]


def _resolved(scenario: Scenario) -> tuple[str | None, int | None, bool]:
    return scenario.cpu_vendor, scenario.phys_bits, scenario.long_mode


def _cpu_as_given(cpu: Cpu) -> str:
    parts = [cpu.model]
    parts += [f"vendor={cpu.vendor}"] if cpu.vendor is not None else []
    parts += [f"phys-bits={cpu.phys_bits}"] if cpu.phys_bits is not None else []
    if cpu.host_phys_bits is not None:
        parts.append(f"host-phys-bits={'on' if cpu.host_phys_bits else 'off'}")
    if cpu.host_phys_bits_limit is not None:
        parts.append(f"host-phys-bits-limit={cpu.host_phys_bits_limit}")
    return ",".join([*parts, *cpu.features])


def _write_backend(backend: MemoryBackend, base_page: int) -> str:
    parts = [f"memory-backend-{backend.kind}", f"id={backend.id}", f"size={qemu_size(backend.size)}"]
    if backend.mem_path:
        parts.append(f"mem-path={backend.mem_path.replace(',', ',,')}")
    elif backend.page_size > base_page:
        parts += ["hugetlb=on", f"hugetlbsize={qemu_size(backend.page_size)}"]
    if backend.share != (backend.kind in ("memfd", "shm")):
        parts.append(f"share={'on' if backend.share else 'off'}")
    parts += ["readonly=on"] if backend.readonly else []
    parts += [f"rom={'on' if backend.rom else 'off'}"] if backend.rom is not None else []
    parts += ["pmem=on"] if backend.pmem else []
    parts += [f"align={qemu_size(backend.align)}"] if backend.align else []
    if not backend.reserve:
        parts.append("reserve=off")
    if backend.prealloc:
        parts.append("prealloc=on")
    return ",".join(parts)


def _write_vhost(device: VhostDevice, name: str) -> list[str]:
    """Write a device with what it needs; `name` stands in its socket's."""
    if device.driver.startswith("netdev "):
        kind = device.driver.removeprefix("netdev ")
        if kind == "tap":
            return ["-netdev", f"tap,id={name},vhost=on"]
        if kind == "vhost-vdpa":
            return ["-netdev", f"vhost-vdpa,id={name},vhostdev=/dev/vhost-vdpa-0"]
        return ["-chardev", _socket(name), "-netdev", f"{kind},id={name},chardev={name}-chr"]
    parts = [device.driver]
    parts += [f"id={device.id}"] if device.id is not None else []
    if device.kernel:
        parts += ["guest-cid=3"] if device.driver.startswith("vhost-vsock") else []
        parts += ["vhostdev=/dev/vhost-vdpa-0"] if device.driver.startswith("vhost-vdpa") else []
        parts += ["wwpn=naa.5000000000000001"] if device.driver.startswith("vhost-scsi") else []
        return ["-device", ",".join(parts)]
    parts.append(f"chardev={name}-chr")
    parts += [f"tag={name}"] if device.driver.startswith("vhost-user-fs") else []
    return ["-chardev", _socket(name), "-device", ",".join(parts)]


def _write_vfio(device: VfioDevice, before: Sequence[str]) -> list[str]:
    """Write a host device, and its ``iommufd`` object where it is the first one that uses it."""
    parts = [device.driver, *([f"id={device.id}"] if device.id is not None else [])]
    parts += [f"{key}={value.replace(',', ',,')}" for key, value in device.props]
    made = f"iommufd,id={device.iommufd}"
    return [*(["-object", made] if device.iommufd and made not in before else []), "-device", ",".join(parts)]


def _socket(name: str) -> str:
    return f"socket,id={name}-chr,path=/tmp/{name}.sock"


def _write_device(device: VirtioMem | Dimm | Pmem, unknown: Container[str]) -> str:
    driver = _DRIVERS[device.type]
    parts = [driver]
    parts += [f"id={device.id}"] if device.id is not None else []
    parts += [f"memdev={device.memdev}"] if device.memdev is not None else []
    if isinstance(device, VirtioMem):
        parts += [f"requested-size={qemu_size(device.requested_size)}"]
        parts += [f"block-size={qemu_size(device.block_size)}"] if device.block_size else []
        for key, value in (("max-memslots", device.max_memslots), ("memslots", device.memslots)):
            parts += [f"{key}={value}"] if value is not None else []
        if device.dynamic_memslots is not None:
            parts.append(f"dynamic-memslots={'on' if device.dynamic_memslots else 'off'}")
        if device.unplugged_inaccessible:
            parts.append(f"unplugged-inaccessible={device.unplugged_inaccessible}")
        parts += ["prealloc=on"] if device.prealloc else []
        parts += [f"node={device.node}"] if device.node else []
    address = device.addr if isinstance(device, Dimm) else device.memaddr
    parts += [f"{'addr' if isinstance(device, Dimm) else 'memaddr'}={address:#x}"] if address else []
    if isinstance(device, Dimm):
        parts += [f"slot={device.slot}"] if device.slot != -1 else []
        parts += [f"node={device.node}"] if device.node else []
    if isinstance(device, Nvdimm):
        parts += [f"label-size={qemu_size(device.label_size)}"] if device.label_size else []
        parts += ["unarmed=on"] if device.unarmed else []
        parts += [f"uuid={device.uuid}"] if device.uuid else []
    return ",".join(part for part in parts if part.partition("=")[0] not in unknown)
