"""Proxmox VE's command lines: the option that its QEMU has beside upstream's, and the files that they name.

Its q35 VMs take USB controllers, root ports and bridges from a file that every installation has; `CONFIG_FILES` has
those devices, none of which takes a memslot. Source: package qemu-server, pve-q35.cfg and pve-q35-4.0.cfg.
"""

from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ("CONFIG_FILES", "PROXMOX_OPTIONS", "is_proxmox")

PROXMOX_OPTIONS: Final = {"id": True}
"""Options that upstream does not have, and whether they take an argument: ``-id`` is the VM's number."""


def is_proxmox(words: Sequence[str]) -> bool:
    """Return whether a command line is one of Proxmox: its machine types and its folder give it away."""
    return any("/qemu-server/" in word or "+pve" in word for word in words) or any(
        word.rpartition("/")[2] == "kvm" for word in words[:1]
    )


def _usb(number: int, slot: int, uhci: Sequence[int]) -> Iterator[str]:
    name = "ehci" if number == 1 else f"ehci-{number}"
    yield _device(name, f"ich9-usb-ehci{number}", f"{slot:x}.7", multifunction="on")
    for function, one in enumerate(uhci):
        more = {"multifunction": "on", "masterbus": f"{name}.0", "firstport": f"{2 * function}"}
        yield _device(f"uhci-{one}", f"ich9-usb-uhci{one}", f"{slot:x}.{function}", **more)


def _device(name: str, driver: str, addr: str, bus: str = "pcie.0", **more: str) -> str:
    given = {"driver": driver, "bus": bus, "addr": addr, **more}
    return f'[device "{name}"]\n' + "".join(f'  {key} = "{value}"\n' for key, value in given.items())


def _config(port: str, bridges: int) -> str:
    """Return the content of a file whose root ports are of type `port`, with so many PCI bridges."""
    sections = [*_usb(1, 0x1D, (1, 2, 3)), *_usb(2, 0x1A, (4, 5, 6)), _device("audio0", "ich9-intel-hda", "1b.0")]
    for one in range(1, 5):
        more = {"multifunction": "on", "port": f"{one}", "chassis": f"{one}"}
        sections.append(_device(f"ich9-pcie-port-{one}", port, f"1c.{one - 1}", **more))
    sections.append(_device("pcidmi", "i82801b11-bridge", "1e.0"))
    for one in range(bridges):
        bridge = _device(f"pci.{one}", "pci-bridge", f"{one + 1}.0", bus="pcidmi", chassis_nr=f"{one + 1}")
        sections.append(bridge)
    return "\n".join(sections)


CONFIG_FILES: Final = {
    "/usr/share/qemu-server/pve-q35.cfg": _config("ioh3420", 3),
    "/usr/share/qemu-server/pve-q35-4.0.cfg": _config("pcie-root-port", 4),
}
"""Files of an installation by path, as text."""
