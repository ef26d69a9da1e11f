"""Compatibility properties and switches of versioned machine types, in QEMU's own form.

A machine type of version V has every table from V on, newest first, so that of several values the one of the oldest
table holds. Sources: hw/core/machine.c (``hw_compat_*``), hw/i386/pc.c (``pc_compat_*``), hw/i386/pc_piix.c
(``*_machine_options``).
"""

from collections.abc import Mapping
from typing import Final, TypeVar

__all__ = ("COMPAT_PROPERTIES", "COMPAT_SWITCHES", "compat_property", "compat_switch")

MachineVersion = tuple[int, int]
T = TypeVar("T")

COMPAT_PROPERTIES: Final[Mapping[MachineVersion, Mapping[str, str]]] = {
    # hw_compat_8_0
    (8, 0): {"virtio-mem.unplugged-inaccessible": "auto"},
    # hw_compat_7_2
    (7, 2): {"virtio-mem.x-early-migration": "false"},
    # pc_compat_6_2
    (6, 2): {"virtio-mem.unplugged-inaccessible": "off"},
    # hw_compat_6_1 of the RFC series (patch 15)
    (6, 1): {"virtio-mem.max-memslots": "1"},
    # hw_compat_3_1
    (3, 1): {
        "memory-backend-file.x-use-canonical-path-for-ramblock-id": "true",
        "memory-backend-memfd.x-use-canonical-path-for-ramblock-id": "true",
    },
}
"""Properties of devices and objects that a machine type sets where the user does not."""

COMPAT_SWITCHES: Final[Mapping[MachineVersion, Mapping[str, bool]]] = {
    # pc_i440fx_8_1_machine_options, pc_q35_8_1_machine_options
    (8, 1): {"broken_32bit_mem_addr_check": True},
    # pc_i440fx_7_0_machine_options, pc_q35_7_0_machine_options
    (7, 0): {"enforce_amd_1tb_hole": False},
    # pc_i440fx_5_0_machine_options
    (5, 0): {"numa_mem_supported": True},
    # pc_i440fx_2_1_machine_options
    (2, 1): {"enforce_aligned_dimm": False},
}
"""Fields of the machine class; in newer types they have the other value."""


def compat_property(name: str, machine_version: MachineVersion | None) -> str | None:
    """Return the value that a machine type gives a property, such as ``virtio-mem.unplugged-inaccessible``.

    Parameters
    ----------
    machine_version
        Of a versioned machine type; None for the newest, which sets nothing.
    """
    return _oldest(COMPAT_PROPERTIES, name, machine_version)


def compat_switch(name: str, machine_version: MachineVersion | None, *, default: bool) -> bool:
    """Return a field of the machine class; `default` is its value in new machine types."""
    value = _oldest(COMPAT_SWITCHES, name, machine_version)
    return default if value is None else value


def _oldest(
    tables: Mapping[MachineVersion, Mapping[str, T]], name: str, machine_version: MachineVersion | None
) -> T | None:
    if machine_version is None:
        return None
    found = [values[name] for version, values in tables.items() if version >= machine_version and name in values]
    return found[-1] if found else None
