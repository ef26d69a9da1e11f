"""``<video>`` and ``<graphics>``: the displays that libvirt makes, and the one that it adds where none is named.

Source: src/qemu/qemu_command.c (``qemuDeviceVideoGetModel``, ``qemuBuildDeviceVideoCmd``),
src/conf/domain_postparse.c (``virDomainDefPostParseVideo``, ``virDomainVideoDefPostParse``) and
src/qemu/qemu_postparse.c (``qemuDomainDefaultVideoDevice``), libvirt 11.3.
"""

from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

from workbook.lib.size import KiB, MiB

from . import xml
from .backing import Props
from .refusals import bad_attribute, unsupported

__all__ = ("display_props", "displays")

DEFAULT_TYPE: Final = "cirrus"
"""On x86, if QEMU has it."""
DEFAULT_VRAM: Final = {"vga": 16 * MiB, "cirrus": 16 * MiB, "vmvga": 16 * MiB, "bochs": 16 * MiB, "qxl": 64 * MiB}
"""Bytes of ``vram=`` (``virDomainVideoDefaultRAM``)."""
QXL_RAM: Final = 64 * MiB
QXL_VGAMEM: Final = 16 * MiB
_PRIMARY: Final = {
    "vga": "VGA",
    "cirrus": "cirrus-vga",
    "vmvga": "vmware-svga",
    "qxl": "qxl-vga",
    "virtio": "virtio-vga",
    "bochs": "bochs-display",
    "ramfb": "ramfb",
}
_SECONDARY: Final = {"qxl": "qxl", "virtio": "virtio-gpu-pci"}
_TYPES: Final = ("vga", "cirrus", "vmvga", "xen", "vbox", "qxl", "parallels", "virtio", "gop", "none", "bochs", "ramfb")


def displays(elements: Sequence[ET.Element]) -> list[ET.Element]:
    """Return the ``<video>`` elements, the primary one first; one more where there are only ``<graphics>``."""
    found = [one for one in elements if one.tag == "video"]
    if not found and any(one.tag == "graphics" for one in elements):
        return [ET.Element("video")]
    return sorted(found, key=lambda one: xml.attribute(one, "model", "primary") != "yes")


def display_props(element: ET.Element, name: str, *, primary: bool) -> Props | None:
    """Return the ``-device`` of a display; None for ``<model type='none'>``.

    Raises
    ------
    Refusal
        libvirt has no such display, or none that is not the primary one.
    BadInput
        A size that cannot be read.
    """
    kind = xml.attribute(element, "model", "type") or DEFAULT_TYPE
    if kind not in _TYPES:
        raise bad_attribute("model", "type", kind, _TYPES)
    if kind == "none":
        return None
    if xml.attribute(element, "driver", "name") == "vhostuser":
        return {"driver": "vhost-user-vga" if primary else "vhost-user-gpu-pci", "id": name}
    driver = (_PRIMARY if primary else _SECONDARY).get(kind)
    if driver is None:
        raise unsupported(
            f"video type '{kind}' is only valid as primary video device", "a second display is of type virtio or qxl"
        )
    if kind == "virtio" and xml.attribute(element, "model/acceleration", "accel3d") == "yes":
        driver = {"virtio-vga": "virtio-vga-gl", "virtio-gpu-pci": "virtio-gpu-gl-pci"}[driver]
    props: Props = {"driver": driver, "id": name}
    vram = _memory(element, "vram", DEFAULT_VRAM.get(kind, 0))
    if kind == "qxl":
        vgamem = _memory(element, "vgamem", QXL_VGAMEM)
        props |= {"ram_size": _memory(element, "ram", QXL_RAM), "vram_size": vram}
        props |= {"vram64_size_mb": _memory(element, "vram64", 0) // MiB, "vgamem_mb": vgamem // MiB}
    elif kind in ("vga", "vmvga"):
        props["vgamem_mb"] = vram // MiB
    elif kind == "bochs":
        props["vgamem"] = vram
    elif kind == "virtio" and xml.attribute(element, "model", "blob", ("on", "off")):
        props["blob"] = xml.attribute(element, "model", "blob") == "on"
    return props


def _memory(element: ET.Element, name: str, default: int) -> int:
    given = xml.attribute(element, "model", name)
    size = 0 if given is None else xml.unsigned(given, f"<model {name}=>") * KiB
    # libvirt rounds up to a power of two
    return 1 << (size - 1).bit_length() if size else default
