"""Write a `Scenario` as a QEMU command line (qemu-options.hx, QEMU 7.2 to 10.0)."""

from collections.abc import Container, Sequence
from typing import Final

from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Dimm, MemoryBackend, Pmem, Scenario, VfioDevice, VhostDevice, VirtioMem
from workbook.lib.size import KiB, MiB, format_size

__all__ = ("qemu_size", "write_argv")

MAX_PHYS_BITS: Final = 52
"""The most that QEMU takes for ``phys-bits`` (target/i386/cpu.c)."""


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
        What the QEMU is that shall read it: properties that it does not know are left out.
    """
    machine: str = scenario.chipset
    if scenario.machine_version:
        prefix = {"q35": "pc-q35", "pc": "pc-i440fx"}[scenario.chipset]
        machine = f"{prefix}-{scenario.machine_version[0]}.{scenario.machine_version[1]}"
    options = [machine]
    if scenario.ram_backend:
        options.append(f"memory-backend={scenario.ram_backend}")
    if scenario.smm:
        options.append("smm=on")
    if scenario.max_ram_below_4g is not None:
        options.append(f"max-ram-below-4g={qemu_size(scenario.max_ram_below_4g)}")
    memory = [qemu_size(scenario.ram) if scenario.ram % MiB == 0 else f"{scenario.ram}B"]
    if scenario.ram_slots:
        memory.append(f"slots={scenario.ram_slots}")
    if scenario.has_device_memory:
        memory.append(f"maxmem={qemu_size(scenario.maxmem)}")
    argv = ["qemu-system-x86_64", "-accel", scenario.accel, "-machine", ",".join(options), *_write_cpu(scenario)]
    argv += [] if scenario.display else ["-nodefaults"]
    argv += ["-m", ",".join(memory)]
    if scenario.incoming:
        argv += ["-incoming", "defer"]
    for backend in scenario.backends:
        argv += ["-object", _write_backend(backend)]
    for number, device in enumerate(scenario.devices):
        if isinstance(device, VfioDevice):
            argv += _write_vfio(device, argv)
        elif isinstance(device, VhostDevice):
            argv += _write_vhost(device, device.id or f"vhost{number}")
        else:
            argv += ["-device", _write_device(device, rules.unknown_properties if rules else ())]
    return argv


def _write_cpu(scenario: Scenario) -> list[str]:
    if scenario.phys_bits is None and scenario.cpu_vendor is None:
        return []
    vendor, bits = scenario.cpu_vendor, scenario.phys_bits
    if scenario.accel != "kvm":
        # nothing is the host's there: what is not known must not move or refuse anything
        vendor, bits = vendor or "intel", bits or MAX_PHYS_BITS
    name = {"intel": ",vendor=GenuineIntel", "amd": ",vendor=AuthenticAMD", None: ""}[vendor]
    return ["-cpu", f"max{name}" if bits is None else f"qemu64{name},phys-bits={bits}"]


def _write_backend(backend: MemoryBackend) -> str:
    parts = [f"memory-backend-{backend.kind}", f"id={backend.id}", f"size={qemu_size(backend.size)}"]
    if backend.mem_path:
        parts.append(f"mem-path={backend.mem_path.replace(',', ',,')}")
    elif backend.page_size != 4 * KiB:
        parts += ["hugetlb=on", f"hugetlbsize={qemu_size(backend.page_size)}"]
    if backend.share != (backend.kind == "memfd"):
        parts.append(f"share={'on' if backend.share else 'off'}")
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
        return ["-chardev", _socket(name), "-netdev", f"{kind},id={name},chardev={name}-chr"]
    parts = [device.driver]
    parts += [f"id={device.id}"] if device.id is not None else []
    if device.kernel:
        parts += ["guest-cid=3"] if device.driver.startswith("vhost-vsock") else []
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
    driver = {"virtio-mem": "virtio-mem-pci", "dimm": "pc-dimm", "virtio-pmem": "virtio-pmem-pci"}[device.type]
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
    return ",".join(part for part in parts if part.partition("=")[0] not in unknown)
