"""``<interface>``: network back ends, with vhost where libvirt gives them one, and the network card.

Source: src/qemu/qemu_command.c (``qemuBuildHostNetProps``, ``qemuBuildNicDevProps``), src/qemu/qemu_interface.c
(``qemuInterfaceOpenVhostNet``) and src/qemu/qemu_postparse.c (the default model), libvirt 11.3.
"""

from typing import Final
from xml.etree import ElementTree as ET

from . import xml
from .backing import Props

__all__ = ("netdev_props", "nic_props", "rom_props")

DEFAULT_MODEL: Final = "rtl8139"
"""On x86, if QEMU has it."""
TAP_TYPES: Final = ("network", "bridge", "ethernet", "direct")
"""Interfaces that QEMU gets as a tap device."""


def _model(element: ET.Element) -> str:
    default = "virtio" if element.get("type") in ("vdpa", "vhostuser") else DEFAULT_MODEL
    return xml.attribute(element, "model", "type") or default


def _queues(element: ET.Element) -> int:
    value = xml.attribute(element, "driver", "queues")
    return 1 if value is None else xml.unsigned(value, "<driver queues=>")


def netdev_props(element: ET.Element, name: str, *, kvm: bool) -> Props:
    """Return the ``-netdev``; `name` is its id.

    A tap has vhost for virtio cards under KVM, if not told otherwise.
    """
    kind, queues = element.get("type", "user"), _queues(element)
    if kind == "vhostuser":
        return {"type": "vhost-user", "id": name} | ({"queues": queues} if queues > 1 else {})
    if kind == "vdpa":
        return {"type": "vhost-vdpa", "vhostdev": xml.attribute(element, "source", "dev") or "", "id": name}
    if kind in TAP_TYPES:
        wanted = _model(element).startswith("virtio") and xml.attribute(element, "driver", "name") != "qemu"
        props: Props = {"type": "tap", "id": name}
        # as many file descriptors as queues, which libvirt passes in
        many = "fds" if queues > 1 else "fd"
        props[many] = ":".join(str(number) for number in range(3, 3 + queues))
        if wanted and kvm:
            first = 3 + queues
            props["vhost"] = True
            props[f"vhost{many}"] = ":".join(str(number) for number in range(first, first + queues))
        return props
    return {"type": "user", "id": name}


def nic_props(element: ET.Element, name: str) -> Props | None:
    """Return the ``-device``, `name` is its id; None for a card that is not on PCI."""
    model = _model(element)
    if model == "usb-net":
        return None
    driver = f"virtio-net-pci{model.removeprefix('virtio')}" if model.startswith("virtio") else model
    props: Props = {"driver": driver, "netdev": f"host{name}", "id": name}
    queues = _queues(element)
    if driver.startswith("virtio-net") and queues > 1:
        props |= {"mq": True, "vectors": 2 * queues + 2}
    return props | rom_props(element)


def rom_props(element: ET.Element) -> Props:
    """Return what ``<rom>`` says of a PCI device's option ROM (``qemuBuildRomProps``)."""
    if xml.attribute(element, "rom", "enabled") == "no":
        return {"romfile": ""}
    bar, path = xml.attribute(element, "rom", "bar"), xml.attribute(element, "rom", "file")
    props: Props = {} if bar is None else {"rombar": 1 if bar == "on" else 0}
    return props | ({} if path is None else {"romfile": path})
