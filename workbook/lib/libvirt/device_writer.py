"""Elements below ``<devices>`` for the devices of a scenario."""

import re
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID
from xml.etree import ElementTree as ET

from workbook.lib.block_size import default_block_size
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import (
    Dimm,
    MemoryBackend,
    Nvdimm,
    PciDevice,
    Pmem,
    Scenario,
    VfioDevice,
    VhostDevice,
    VirtioMem,
)
from workbook.lib.size import KiB, MiB

from .aliases import ALIAS_PREFIXES, COUNTED, Aliases, disk_name
from .backing import SYSTEM_PAGE
from .backing_choice import BackingChoice, Piece

__all__ = ("NAME", "VHOST_USER", "DeviceWriter", "memory_piece", "size_element", "text_element")

NAME: Final = "memslot-workbook"
VHOST_USER: Final = ("vhost-user-blk-pci", "vhost-user-fs-pci", "netdev vhost-user")
"""Drivers for whose sake libvirt wants shared RAM."""
_TAGS: Final = {
    "vhost-user-blk-pci": "disk",
    "vhost-user-fs-pci": "filesystem",
    "vhost-user-vga": "video",
    "vhost-user-gpu-pci": "video",
    "vhost-scsi-pci": "hostdev",
    "vfio-pci": "hostdev",
    "vfio-pci-nohotplug": "hostdev",
    "vhost-vsock-pci": "vsock",
}
_NETDEVS: Final = {"netdev vhost-user": "vhostuser", "netdev tap": "network", "netdev vhost-vdpa": "vdpa"}
_VIDEO: Final = {
    "VGA": "vga",
    "cirrus-vga": "cirrus",
    "vmware-svga": "vmvga",
    "qxl-vga": "qxl",
    "qxl": "qxl",
    "virtio-vga": "virtio",
    "virtio-vga-gl": "virtio",
    "virtio-gpu-pci": "virtio",
    "virtio-gpu-gl-pci": "virtio",
    "bochs-display": "bochs",
    "ramfb": "ramfb",
}
_SECONDARY: Final = frozenset(("qxl", "virtio-gpu-pci", "virtio-gpu-gl-pci", "vhost-user-gpu-pci"))
_NIC = re.compile(r"virtio-net-pci.*|e1000.*|igb|i8255.*|ne2k_pci|pcnet|rtl8139|tulip|vmxnet3")
_HOST = re.compile(r"(?:([0-9a-f]{4}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")
MDEV: Final = "/sys/bus/mdev/devices/"
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MODEL = re.compile(r"(.*?)(-transitional|-non-transitional)?")


def memory_piece(scenario: Scenario, device: VirtioMem | Dimm | Pmem) -> Piece | None:
    """Return the memory behind a device as `choose_backing` looks at it; None where it has none."""
    backend = scenario.backend(device.memdev or "")
    if backend is None:
        return None
    if isinstance(device, Pmem):
        return Piece(backend, None, is_ram=False, prealloc=backend.prealloc, has_path=True)
    if isinstance(device, Nvdimm):
        # a file that is no persistent memory is always preallocated
        return Piece(
            backend, device.node, is_ram=False, prealloc=backend.prealloc if backend.pmem else None, has_path=True
        )
    return Piece(
        backend, device.node, is_ram=False, prealloc=None if isinstance(device, VirtioMem) else backend.prealloc
    )


@dataclass
class DeviceWriter:
    """Writes the devices of a scenario below one element.

    Attributes
    ----------
    names
        The id that each device of the scenario gets, by its position.
    overrides
        Properties without an element, by alias.
    """

    scenario: Scenario
    rules: RuleSet | None
    backing: BackingChoice
    slots: dict[int, int]
    group: ET.Element
    names: dict[int, str] = field(default_factory=dict)
    overrides: dict[str, dict[str, str | int | bool]] = field(default_factory=dict)
    aliases: Aliases = field(default_factory=Aliases)

    def write(self) -> None:
        """Write all of them in libvirt's order."""
        hole = self.scenario.pci_hole64_size
        if hole is not None:
            root = "pcie-root" if self.scenario.chipset == "q35" else "pci-root"
            controller = ET.SubElement(self.group, "controller", type="pci", index="0", model=root)
            size_element(controller, "pcihole64", hole)
        for index, device in enumerate(self.scenario.devices):
            if isinstance(device, VirtioMem | Dimm | Pmem):
                self._memory(ET.SubElement(self.group, "memory", model=_model(device)), index, device)
        for tag in ("disk", "filesystem"):
            self._vhost(tag)
        self._interfaces()
        self._displays()
        for tag in ("hostdev", "vsock"):
            self._vhost(tag)
        self._memory_fixtures()

    # -- memory devices -------------------------------------------------------------------------------------------

    def _memory(self, element: ET.Element, index: int, device: VirtioMem | Dimm | Pmem) -> None:
        backend = self.scenario.backend(device.memdev or "") or MemoryBackend(id="none", size=0)
        self._source(element, device, backend)
        target = ET.SubElement(element, "target")
        size_element(target, "size", backend.size)
        if not isinstance(device, Pmem):
            text_element(target, "node", str(device.node))
        unknown = self.rules.unknown_properties if self.rules else ()
        if isinstance(device, VirtioMem):
            if device.dynamic_memslots is not None and "dynamic-memslots" not in unknown:
                target.set("dynamicMemslots", "yes" if device.dynamic_memslots else "no")
            size_element(target, "block", device.block_size or default_block_size(backend.page_size))
            size_element(target, "requested", device.requested_size)
        if isinstance(device, Nvdimm):
            if device.label_size:
                size_element(ET.SubElement(target, "label"), "size", device.label_size)
            if device.unarmed:
                ET.SubElement(target, "readonly")
        address = device.addr if isinstance(device, Dimm) else device.memaddr
        if address and not isinstance(device, Dimm):
            ET.SubElement(target, "address", base=hex(address))
        slot = self.slots.get(index)
        name = self._name(element, device.id, ALIAS_PREFIXES[_model(device)], slot)
        self.names[index] = name
        if slot is not None:
            base = {"base": hex(address)} if address else {}
            ET.SubElement(element, "address", {"type": "dimm", "slot": str(slot), **base})
        if isinstance(device, VirtioMem):
            own = self.backing.immediate or backend.page_size != SYSTEM_PAGE
            given: dict[str, str | int | bool | None] = {
                "max-memslots": device.max_memslots,
                "memslots": device.memslots,
                "unplugged-inaccessible": device.unplugged_inaccessible,
                "prealloc": device.prealloc if device.prealloc != own else None,
            }
            found = {key: value for key, value in given.items() if value is not None and key not in unknown}
            if found:
                self.overrides[name] = found

    def _source(self, element: ET.Element, device: VirtioMem | Dimm | Pmem, backend: MemoryBackend) -> None:
        if isinstance(device, Pmem | Nvdimm):
            shared = self.backing.access_of(device.node) == "shared" if isinstance(device, Nvdimm) else None
            if shared != backend.share:
                element.set("access", "shared" if backend.share or isinstance(device, Pmem) else "private")
            source = ET.SubElement(element, "source")
            path = backend.mem_path or ""
            known = path if path.isprintable() and path else f"/var/lib/libvirt/images/{NAME}.pmem"
            text_element(source, "path", known)
            if isinstance(device, Nvdimm):
                if backend.align:
                    size_element(source, "alignsize", backend.align)
                if backend.pmem:
                    ET.SubElement(source, "pmem")
            return
        piece = memory_piece(self.scenario, device)
        if piece is None:
            return
        if piece.page != self.backing.page_of(device.node):
            size_element(ET.SubElement(element, "source"), "pagesize", piece.page)
        access = self.backing.own_access(piece)
        if access is not None:
            element.set("access", access)

    # -- devices with a vhost back end ----------------------------------------------------------------------------

    def _vhost(self, tag: str) -> None:
        number = 0
        for index, device in enumerate(self.scenario.devices):
            if not isinstance(device, VhostDevice | VfioDevice):
                continue
            driver, suffix = _split_model(device.driver)
            # a domain has one vsock
            if _TAGS.get(driver) != tag or (tag == "vsock" and number):
                continue
            element = ET.SubElement(self.group, tag)
            counted = number if tag in COUNTED or tag in ("disk", "vsock") else None
            name = self.names[index] = self._name(element, device.id, ALIAS_PREFIXES[tag], counted)
            if suffix:
                element.set("model", f"virtio{suffix}")
            if isinstance(device, VfioDevice):
                self._fill_passed_through(element, device, number)
            else:
                self._fill_vhost(element, tag, name, number)
            number += 1
            element[:] = sorted(element, key=lambda one: one.tag == "alias")

    def _fill_vhost(self, element: ET.Element, tag: str, name: str, number: int) -> None:
        socket = f"/run/{name}.sock"
        match tag:
            case "disk":
                element.attrib.update(type="vhostuser", device="disk")
                ET.SubElement(element, "source", type="unix", path=socket)
                ET.SubElement(element, "target", dev=disk_name(number), bus="virtio")
            case "filesystem":
                element.set("type", "mount")
                ET.SubElement(element, "driver", type="virtiofs")
                ET.SubElement(element, "source", socket=socket)
                ET.SubElement(element, "target", dir=name)
            case "hostdev":
                element.attrib.update(mode="subsystem", type="scsi_host")
                ET.SubElement(element, "source", protocol="vhost", wwpn="naa.5001405000000000")
            case _:
                element.set("model", element.get("model", "virtio"))
                ET.SubElement(element, "cid", auto="yes")

    # -- network --------------------------------------------------------------------------------------------------

    def _interfaces(self) -> None:
        """Write network cards, each with its back end; a back end without a card gets one."""
        netdevs = {
            index: one
            for index, one in enumerate(self.scenario.devices)
            if isinstance(one, VhostDevice) and one.driver in _NETDEVS
        }
        cards: list[PciDevice | None] = [one for one in self.scenario.fixtures if _NIC.fullmatch(one.driver)]
        pairs: list[tuple[int | None, PciDevice | None]] = []
        for card in cards:
            found = next((key for key, one in netdevs.items() if card and one.id == f"host{card.id}"), None)
            if found is not None:
                pairs.append((found, card))
        known = {index for index, _card in pairs}
        pairs += [(index, None) for index in netdevs if index not in known]
        pairs += [(None, card) for card in cards if card not in [one for _index, one in pairs]]
        # a card's place among the cards counts, a back end's among the back ends
        order = {id(card): place for place, card in enumerate(cards)}
        pairs.sort(key=lambda pair: order.get(id(pair[1]), pair[0] or 0))
        for index, card in pairs:
            self._interface(index, card)

    def _interface(self, index: int | None, card: PciDevice | None) -> None:
        element = ET.SubElement(self.group, "interface")
        netdev = self.scenario.devices[index] if index is not None else None
        kind = _NETDEVS[netdev.driver] if isinstance(netdev, VhostDevice) else "user"
        wanted = (netdev.id or "").removeprefix("host") if netdev is not None else card.id if card is not None else ""
        name = self._name(element, wanted, ALIAS_PREFIXES["interface"])
        if index is not None:
            self.names[index] = f"host{name}"
        element.set("type", kind)
        if kind == "vhostuser":
            ET.SubElement(element, "source", type="unix", path=f"/run/{name}.sock", mode="client")
        elif kind == "vdpa":
            ET.SubElement(element, "source", dev="/dev/vhost-vdpa-0")
        elif kind == "network":
            ET.SubElement(element, "source", network="default")
        driver = card.driver if card is not None else "virtio-net-pci"
        model = f"virtio{driver.removeprefix('virtio-net-pci')}" if driver.startswith("virtio-net-pci") else driver
        ET.SubElement(element, "model", type=model)
        if card is not None:
            _rom(element, card)
        element[:] = sorted(element, key=lambda one: one.tag == "alias")

    # -- displays and other fixtures ------------------------------------------------------------------------------

    def _displays(self) -> None:
        vhost = [
            (index, one)
            for index, one in enumerate(self.scenario.devices)
            if isinstance(one, VhostDevice) and _TAGS.get(one.driver) == "video"
        ]
        found: list[tuple[int | None, str | None, str, PciDevice | None]] = [
            (index, one.id, one.driver, None) for index, one in vhost
        ]
        found += [(None, one.id, one.driver, one) for one in self.scenario.fixtures if one.driver in _VIDEO]
        if self.scenario.display and not found:
            found.append((None, "video0", "VGA", None))
        found.sort(key=lambda one: one[2] in _SECONDARY)
        for number, (index, wanted, driver, fixture) in enumerate(found):
            element = ET.SubElement(self.group, "video")
            name = self._name(element, wanted, ALIAS_PREFIXES["video"], number)
            if index is not None:
                self.names[index] = name
                ET.SubElement(element, "driver", name="vhostuser")
            model = ET.SubElement(element, "model", type=_VIDEO.get(driver, "virtio"))
            if not number:
                model.set("primary", "yes")
            if fixture is not None:
                _video_memory(model, fixture)
            if driver.endswith(("-gl", "-gl-pci")):
                ET.SubElement(model, "acceleration", accel3d="yes")
            element[:] = sorted(element, key=lambda one: one.tag == "alias")

    def _fill_passed_through(self, element: ET.Element, one: VfioDevice, number: int) -> None:
        path = one.prop("sysfsdev") or ""
        if path.startswith(MDEV):
            element.attrib.update(mode="subsystem", type="mdev", model="vfio-pci")
            uuid = path.removeprefix(MDEV)
            known = uuid if _UUID.fullmatch(uuid) else str(UUID(int=number))
            ET.SubElement(ET.SubElement(element, "source"), "address", uuid=known)
            if one.driver == "vfio-pci-nohotplug":
                element.attrib.update(display="on", ramfb="on")
            return
        element.attrib.update(mode="subsystem", type="pci", managed="yes")
        host = _HOST.fullmatch(one.prop("host") or f"{number % 256:02x}:00.0")
        parts = host.groups() if host is not None else (None, None, None, None)
        names = ("domain", "bus", "slot", "function")
        shown = {name: f"0x{value or '00'}" for name, value in zip(names, parts, strict=True)}
        ET.SubElement(ET.SubElement(element, "source"), "address", shown)
        if one.driver == "vfio-pci-nohotplug":
            element.set("ramfb", "on")
        _rom(element, one)

    def _memory_fixtures(self) -> None:
        shared = [one for one in self.scenario.fixtures if one.driver in ("ivshmem-plain", "ivshmem-doorbell")]
        for number, one in enumerate(shared):
            backend = self.scenario.backend(one.prop("memdev") or "")
            path = (backend.mem_path if backend else None) or ""
            element = ET.SubElement(self.group, "shmem", name=path.removeprefix("/dev/shm/") or f"shmem{number}")  # noqa: S108 - libvirt's own folder
            ET.SubElement(element, "model", type=one.driver)
            if backend is not None:
                text_element(element, "size", str(max(1, backend.size // MiB)), unit="M")
            else:
                ET.SubElement(element, "server", path=f"/run/shmem{number}.sock")
            self._name(element, one.id, ALIAS_PREFIXES["shmem"])
        for one in self.scenario.fixtures:
            backend = self.scenario.backend(one.prop("memdev") or "")
            if one.driver == "acpi-erst" and backend is not None:
                element = ET.SubElement(self.group, "pstore", backend="acpi-erst")
                text_element(element, "path", backend.mem_path or f"/var/lib/libvirt/{NAME}.erst")
                size_element(element, "size", backend.size)

    # -- names ----------------------------------------------------------------------------------------------------

    def _name(self, element: ET.Element, wanted: str | None, prefix: str, number: int | None = None) -> str:
        """Name a device: as libvirt would by itself where that is its id, else by an alias of the user's."""
        name = (wanted or "").removeprefix("ua-")
        alias = self.aliases.default(prefix, number)
        if name != alias and re.fullmatch(r"[A-Za-z0-9_-]+", name) and f"ua-{name}" not in self.aliases.used:
            alias = f"ua-{name}"
            ET.SubElement(element, "alias", name=alias)
        self.aliases.used.append(alias)
        return alias


def _model(device: VirtioMem | Dimm | Pmem) -> str:
    return "nvdimm" if isinstance(device, Nvdimm) else device.type


def _split_model(driver: str) -> tuple[str, str]:
    found = _MODEL.fullmatch(driver)
    return (found[1], found[2] or "") if found is not None else (driver, "")


def _rom(element: ET.Element, one: PciDevice | VfioDevice) -> None:
    file, bar = one.prop("romfile"), one.prop("rombar")
    if file == "":
        ET.SubElement(element, "rom", enabled="no")
    elif file is not None or bar is not None:
        rom = ET.SubElement(element, "rom")
        if bar is not None:
            rom.set("bar", "off" if bar == "0" else "on")
        if file is not None:
            rom.set("file", file if file.isprintable() else "rom")


def _video_memory(model: ET.Element, one: PciDevice) -> None:
    units = {"vgamem_mb": KiB, "vram64_size_mb": KiB}
    names = {
        "vram_size": "vram",
        "ram_size": "ram",
        "vram64_size_mb": "vram64",
        "vgamem": "vram",
        "vgamem_mb": "vgamem",
    }
    for name, value in one.props:
        shown = "vram" if name == "vgamem_mb" and not one.driver.startswith("qxl") else names.get(name)
        if shown is not None and value.isascii() and value.isdigit() and len(value) < 16:
            number = int(value) * units[name] if name in units else int(value) // KiB
            model.set(shown, str(number))
        elif name == "blob":
            model.set("blob", "on" if value in ("on", "true") else "off")


def text_element(parent: ET.Element, tag: str, text: str, **attributes: str) -> ET.Element:
    """Append an element with text."""
    element = ET.SubElement(parent, tag, attributes)
    element.text = text
    return element


def size_element(parent: ET.Element, tag: str, size: int) -> ET.Element:
    """Append an element with a size, in KiB, rounded up."""
    return text_element(parent, tag, str(-(-size // KiB)), unit="KiB")
