"""What QEMU knows by name: options, machine types, devices, objects, CPU models; and what other builds know beside it.

The names are a QEMU 10.0.2's own answers (catalogue_data.py and the command that makes it); builds of distributions
have more devices as modules, and older ones had options that are gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from . import catalogue_data as data

__all__ = (
    "REMOVED_OPTIONS",
    "CpuModel",
    "MachineType",
    "accelerator_properties",
    "cpu_model",
    "cpu_properties",
    "device_properties",
    "is_fixed_device",
    "machine_properties",
    "machine_type",
    "object_properties",
    "resolved_device",
    "takes_argument",
)

REMOVED_OPTIONS: Final[dict[str, bool]] = {
    **dict.fromkeys("no-acpi no-hpet no-quit no-frame sdl curses gtk alt-grab ctrl-grab singlestep".split(), False),
    **dict.fromkeys("async-teardown enable-fips show-cursor one-insn-per-tb no-kvm no-kvm-irqchip".split(), False),
    **dict.fromkeys("chroot runas soundhw realtime balloon device-id tb-size virtfs_synth writeconfig".split(), True),
    **dict.fromkeys("smb tftp bootp redir vlan mon-id hax-accel xen-create".split(), True),
}
"""Options of older QEMUs that 10.0 refuses as invalid, and whether they took an argument."""
_OF_MODULES: Final[dict[str, str]] = {
    "qxl": "@pci ram_size:uint32 ram_size_mb:uint32 vram_size:uint32 vram_size_mb:uint32 vram64_size_mb:uint32 "
    "vgamem_mb:uint32 revision:uint32 debug:uint32 guestdebug:uint32 cmdlog:uint32 surfaces:int32 max_outputs:uint16 "
    "xres:uint32 yres:uint32 global-vmstate:bool",
    "virtio-gpu-gl-pci": "@virtio-pci max_outputs:uint32 max_hostmem:size blob:bool edid:bool xres:uint32 yres:uint32 "
    "hostmem:size stats:bool venus:bool",
    "usb-host": "@usb hostbus:uint32 hostaddr:uint32 hostport:str vendorid:uint32 productid:uint32 bootindex:int32",
    "ccid-card-emulated": "backend:str cert1:str cert2:str cert3:str db:str debug:uint8",
    "virtio-gpu-rutabaga-pci": "@virtio-pci gfxstream-vulkan:bool hostmem:size blob:bool xres:uint32 yres:uint32",
}
_SAME_AS: Final = {
    "qxl-vga": "qxl",
    "virtio-vga-gl": "virtio-gpu-gl-pci",
    "virtio-vga-rutabaga": "virtio-gpu-rutabaga-pci",
    "vfio-pci-nohotplug": "vfio-pci",
}
_ALIASES: Final = {
    "ac97": "AC97",
    "e1000-82540em": "e1000",
    "es1370": "ES1370",
    "ahci": "ich9-ahci",
    "lsi": "lsi53c895a",
    **{
        f"virtio-{kind}": f"virtio-{kind}-pci"
        for kind in (
            *(
                "9p",
                "balloon",
                "blk",
                "gpu",
                "gpu-gl",
                "gpu-rutabaga",
                "input-host",
                "iommu",
                "keyboard",
                "mouse",
                "net",
            ),
            *("rng", "scsi", "serial", "sound", "tablet"),
        )
    },
}
"""Short names of devices; what is no alias but a device of its own, such as virtio-mem, is not here."""


@dataclass(frozen=True, slots=True)
class MachineType:
    """A machine type of QEMU: its full name, whether ``-numa node,mem=`` is taken, and the most processors."""

    name: str
    deprecated: bool
    numa_mem: bool
    max_cpus: int


@dataclass(frozen=True, slots=True)
class CpuModel:
    """A CPU model: vendor id under TCG, and whether it has long mode (and PSE36, if it has not)."""

    name: str
    vendor: str
    long_mode: bool
    pse36: bool


def takes_argument(option: str) -> bool | None:
    """Return whether an option takes an argument; None where there is no such option."""
    return data.OPTIONS.get(option)


def machine_type(name: str) -> MachineType | None:
    """Return a machine type by name or alias."""
    for full, words in data.MACHINES.items():
        given = words.split()
        if name == full or f"alias={name}" in given:
            cpus = next((int(one.removeprefix("cpus=")) for one in given if one.startswith("cpus=")), 255)
            return MachineType(full, "deprecated" in given, "numa-mem" in given, cpus)
    return None


@cache
def _types(text: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for word in text.split():
        if word.startswith("@"):
            found |= _types(data.COMMON_PROPERTIES[word[1:]])
        else:
            name, _, kind = word.rpartition(":")
            found[name] = kind
    return found


def machine_properties(chipset: str) -> Mapping[str, str]:
    """Return the properties of ``-machine`` and their types."""
    return _types(data.MACHINE_PROPERTIES[chipset])


def accelerator_properties(name: str) -> Mapping[str, str] | None:
    """Return the properties of ``-accel`` and their types; None where there is no such accelerator."""
    return _types(data.ACCELERATOR_PROPERTIES[name]) if name in data.ACCELERATOR_PROPERTIES else None


def device_properties(driver: str) -> Mapping[str, str] | None:
    """Return the properties of a device and their types; None where ``-device`` does not know it."""
    driver = resolved_device(driver)
    for name in (driver, _SAME_AS.get(driver, driver)):
        if name in data.DEVICES:
            return _types(data.DEVICES[name])
        if name in _OF_MODULES:
            return _types(_OF_MODULES[name])
    return None


def resolved_device(driver: str) -> str:
    """Return a device's own name where an alias was given (``qdev_alias_table``)."""
    return _ALIASES.get(driver, driver)


def is_fixed_device(driver: str) -> bool:
    """Return whether a device exists that ``-device`` does not make."""
    return driver in data.FIXED_DEVICES.split()


def object_properties(kind: str) -> Mapping[str, str] | None:
    """Return the properties of an ``-object`` and their types; None where there is no such type."""
    return _types(data.OBJECTS[kind]) if kind in data.OBJECTS else None


def cpu_model(name: str) -> CpuModel | None:
    """Return a CPU model; None if there is none of that name."""
    if name not in data.CPU_MODELS or name == "base":
        return None
    vendor, *bits = data.CPU_MODELS[name].split()
    return CpuModel(name, vendor, not bits, "36" in bits)


def cpu_properties() -> Mapping[str, str]:
    """Return the properties of ``-cpu`` and their types."""
    return _types(data.CPU_PROPERTIES)
