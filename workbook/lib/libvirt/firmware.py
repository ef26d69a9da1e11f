"""``<os>`` and ``<features>``: machine type, firmware, ACPI, SMM, and the size of the 64-bit PCI hole.

Source: src/qemu/qemu_command.c (``qemuBuildMachineCommandLine``, ``qemuBuildDomainLoaderCommandLine``,
``qemuBuildGlobalControllerCommandLine``) and src/qemu/qemu_firmware.c, libvirt 11.3. What ``firmware='efi'`` picks
depends on the descriptors of the host; distributions list a build with secure boot first, which needs SMM.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from workbook.lib.errors import BadInput
from workbook.lib.size import KiB, MiB

from . import xml
from .backing import Props
from .refusals import internal_error, unsupported

__all__ = ("Firmware", "machine_type", "pci_hole_options", "tseg_options")

OVMF: Final = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_SECURE: Final = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
SEABIOS: Final = "/usr/share/seabios/bios-256k.bin"
_YES_NO: Final = ("yes", "no")


def machine_type(os_type: ET.Element | None, *, whole: bool) -> str:
    """Return the machine type; libvirt's default is ``pc``.

    Raises
    ------
    BadInput
        Another architecture than x86, or no name.
    """
    arch = xml.attribute(os_type, ".", "arch")
    if arch not in (None, "x86_64", "i686"):
        raise BadInput(f"<type arch={arch!r:.60}> is not modelled: known are x86_64 and i686")
    name = xml.attribute(os_type, ".", "machine") or ("pc" if whole else "q35")
    if "," in name:
        raise BadInput(f"<type machine={name!r:.60}> is no machine type: a name such as pc-q35-8.2 is")
    return name


@dataclass(frozen=True, slots=True)
class Firmware:
    """The firmware of a domain.

    Attributes
    ----------
    code, variables
        Paths of flash images; None where there are none.
    bios
        Path of a BIOS image; None for QEMU's own.
    secure
        Secure boot, which needs SMM.
    """

    code: str | None = None
    variables: str | None = None
    bios: str | None = None
    secure: bool = False

    @classmethod
    def of(cls, os: ET.Element | None, *, machine: str, smm: str | None, acpi: bool) -> "Firmware":
        """Read ``<os>``.

        Parameters
        ----------
        smm
            ``<smm state=>``, or None.

        Raises
        ------
        Refusal
            UEFI without ACPI, or secure boot without SMM or on another machine than q35.
        """
        kind = xml.attribute(os, ".", "firmware", ("efi", "bios"))
        path, loader = xml.text_of(os, "loader") or None, xml.attribute(os, "loader", "type", ("rom", "pflash"))
        secure = xml.attribute(os, "loader", "secure", _YES_NO)
        stateless = xml.attribute(os, "loader", "stateless", _YES_NO) == "yes"
        if secure == "yes" and "q35" not in machine:
            raise unsupported("Secure boot is supported with q35 machine types only", "use machine='q35'")
        if secure == "yes" and kind is None and smm != "on":
            raise unsupported("Secure boot requires SMM feature enabled", "add <smm state='on'/> to <features>")
        if kind == "bios":
            return cls(bios=path or SEABIOS)
        if kind is None and loader != "pflash":
            return cls(bios=path)
        if not acpi:
            raise unsupported("UEFI requires ACPI on this architecture", "add <acpi/> to <features>")
        variables = None if stateless else xml.text_of(os, "nvram") or "/var/lib/libvirt/qemu/nvram/guest_VARS.fd"
        if xml.attribute(os, "loader", "readonly", _YES_NO) != "yes" and loader == "pflash" and kind is None:
            variables = None  # code and variables in one writable image
        if kind is None or path:
            return cls(path or OVMF, variables, secure=secure == "yes")
        features = {one.get("name"): one.get("enabled") for one in xml.children(os, "firmware/feature")}
        wanted = secure or features.get("secure-boot")
        able = "q35" in machine and smm != "off" and not stateless
        secured = wanted == "yes" or (wanted is None and able)
        return cls(OVMF_SECURE if secured else OVMF, variables, secure=secured)

    def machine_options(self) -> list[str]:
        """Return what ``-machine`` gets."""
        found = [("pflash0", self.code), ("pflash1", self.variables)]
        return [f"{name}=libvirt-{name}-storage" for name, path in found if path is not None]

    def blockdevs(self) -> list[Props]:
        """Return the ``-blockdev`` of the flash images."""
        found = [("pflash0", self.code), ("pflash1", self.variables)]
        return [
            {"driver": "file", "filename": path, "node-name": f"libvirt-{name}-storage", "read-only": name == "pflash0"}
            for name, path in found
            if path is not None
        ]


def pci_hole_options(elements: Sequence[ET.Element]) -> list[str]:
    """Return the ``-global`` for ``<pcihole64>`` of the root controller.

    Raises
    ------
    Refusal
        It is another controller.
    BadInput
        A size that cannot be read.
    """
    hosts = {"pci-root": "i440FX-pcihost", "pcie-root": "q35-pcihost"}
    options: list[str] = []
    for one in elements:
        hole = one.find("pcihole64") if one.tag == "controller" and one.get("type") == "pci" else None
        if hole is None:
            continue
        model = one.get("model", "")
        if model not in hosts:
            raise internal_error(
                "64-bit PCI hole setting is only for root PCI controllers", "give it to pci-root or pcie-root"
            )
        size = xml.scaled(hole.text, hole.get("unit"), "<pcihole64>")
        options += ["-global", f"{hosts[model]}.pci-hole64-size={size // KiB}K"]
    return options


def tseg_options(features: ET.Element | None) -> list[str]:
    """Return the ``-global`` for ``<tseg>``, the RAM that SMM takes at the top of low memory.

    Raises
    ------
    Refusal
        Not whole MiB.
    BadInput
        A size that cannot be read.
    """
    tseg = None if features is None else features.find("smm/tseg")
    if tseg is None:
        return []
    # MiB without a unit, unlike other sizes
    size = xml.scaled(tseg.text, tseg.get("unit") or "MiB", "<tseg>")
    if size % MiB:
        raise unsupported("SMM TSEG size must be divisible by 1 MiB", f"it is {size} bytes")
    return ["-global", f"mch.extended-tseg-mbytes={size // MiB}"]
