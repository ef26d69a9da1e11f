"""libvirt domain XML: write the one that makes a `Scenario`; reading is at home in `workbook.lib.libvirt.reader`.

Sources: libvirt's "Domain XML format" (https://libvirt.org/formatdomain.html; ``<memory model='virtio-mem'>`` since
libvirt 7.9, ``dynamicMemslots`` since 10.1, user aliases ``ua-`` since 3.9, ``<maxphysaddr>`` since 8.7), and
``<qemu:override>`` for properties without an element (https://libvirt.org/drvqemu.html, libvirt 8.2).

What is written is read again, and every difference from the scenario is named in a comment: nothing is lost silently.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from itertools import count
from typing import Any, Final
from xml.etree import ElementTree as ET

from workbook.lib.boards.pc import pc_layout
from workbook.lib.errors import WorkbookError
from workbook.lib.machine.virtio_mem import default_block_size
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Dimm, MemoryBackend, Pmem, Scenario, VhostDevice, VirtioMem
from workbook.lib.size import KiB, MiB, format_size, round_up

from .aliases import ALIAS_PREFIXES, COUNTED, Aliases, disk_name
from .memory import PAGES
from .reader import domain_to_argv, read_domain
from .xml import QEMU_NAMESPACE

__all__ = ("domain_to_argv", "read_domain", "write_domain")

NAME: Final = "memslot-workbook"
MAX_NODES: Final = 128
"""QEMU's limit of NUMA nodes (MAX_NODES, include/system/numa.h)."""
_VENDORS: Final = {"intel": "GenuineIntel", "amd": "AuthenticAMD"}
_PHYS_BITS: Final = (40, 46, 48, 52)
_ORDER: Final = (
    "vhost-user-blk-pci",
    "vhost-user-fs-pci",
    "netdev vhost-user",
    "netdev tap",
    "vhost-user-vga",
    "vhost-user-gpu-pci",
    "vhost-scsi-pci",
    "vhost-vsock-pci",
)
"""Vhost devices that libvirt has an element for, in the order of its command line."""
_HOST_ONLY: Final = frozenset("backends devices actions ram_backend kvm_slots tdp_mmu nested rules extra".split())
_SIZES: Final = frozenset("ram maxmem max_ram_below_4g size page_size requested_size block_size".split())
_ADDRESSES: Final = frozenset(("addr", "memaddr"))


def write_domain(scenario: Scenario, rules: RuleSet | None = None) -> str:
    """Write the libvirt domain XML that makes the scenario's VM; `read_domain` reads it back.

    Properties that libvirt has no element for go through ``<qemu:override>``. What it cannot express at all, or has
    its own mind about, stands in a comment at the top. Actions, limits of back ends, the host and the rule set are
    not part of a domain.

    Parameters
    ----------
    rules
        What the QEMU is that libvirt starts: properties that it does not know are left out.
    """
    writer = _Writer(scenario, rules)
    domain = writer.domain()
    notes = [*writer.notes, *_differences(scenario, writer.names, ET.tostring(domain, encoding="unicode"))]
    if notes:
        lines = "".join(f"\n    - {_commentable(one)}" for one in notes)
        domain.insert(0, ET.Comment(f" What libvirt makes of it differs from what was asked for:{lines}\n  "))
    ET.register_namespace("qemu", QEMU_NAMESPACE)
    ET.indent(domain)
    return ET.tostring(domain, encoding="unicode", short_empty_elements=True) + "\n"


def _commentable(text: str) -> str:
    """Return text that may stand in a comment: no double hyphen, no control characters, one line."""
    printable = "".join(one if one.isprintable() else "?" for one in text)
    return re.sub(r"-(?=-)", "- ", printable).rstrip("-")


def _differences(scenario: Scenario, names: dict[int, str], text: str) -> Iterator[str]:
    """Yield what libvirt's VM has otherwise than the scenario; `names` are the ids of the devices by position."""
    try:
        made = read_domain(text)
    except WorkbookError as error:
        yield f"refused: {error}"
        return
    yield from _fields("machine", scenario, made, _HOST_ONLY)
    boot, made_boot = scenario.backend(scenario.ram_backend or ""), made.backend(made.ram_backend or "")
    plain = MemoryBackend(id="RAM", size=made.ram)
    yield from _fields("RAM", boot or plain, made_boot or plain, frozenset(("id", "size")))
    for index, device in enumerate(scenario.devices):
        there = made.device(names.get(index, ""))
        name = device.id or f"device {index}"
        if there is None:
            driver = device.driver if isinstance(device, VhostDevice) else device.type
            yield f"{name}: {driver} is missing"
            continue
        if there.id != device.id:
            yield f"{name}: its id is {there.id}"
        yield from _fields(name, device, there, frozenset(("id", "memdev", "slots", "where")))
        if not isinstance(device, VhostDevice) and not isinstance(there, VhostDevice):
            asked, given = scenario.backend(device.memdev or ""), made.backend(there.memdev or "")
            if asked and given:
                yield from _fields(f"memory of {name}", asked, given, frozenset(("id",)))
    order = [index for name in (one.id for one in made.devices) for index, is_ in names.items() if is_ == name]
    if order != sorted(order):
        yield "devices: network back ends come first, then memory devices, then other devices with a vhost back end"


def _fields(what: str, asked: Any, given: Any, but: frozenset[str]) -> Iterator[str]:
    for one in fields(asked):
        if one.name in but or not one.compare:
            continue
        old, new = getattr(asked, one.name), getattr(given, one.name, None)
        if old != new and not (one.name == "slot" and old == -1):
            label = one.name.replace("_", "-")
            yield f"{what}: {label} is {_shown(one.name, new)}, not {_shown(one.name, old)}"


def _shown(name: str, value: Any) -> str:
    if name == "block_size" and not value:
        return "QEMU's default"
    if value is None:
        return "unset"
    if name in _SIZES:
        return format_size(value)
    if name in _ADDRESSES:
        return hex(value)
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


@dataclass
class _Writer:
    """A scenario being written."""

    scenario: Scenario
    rules: RuleSet | None
    notes: list[str] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    overrides: dict[str, dict[str, str | int | bool]] = field(default_factory=dict)
    aliases: Aliases = field(default_factory=Aliases)

    def __post_init__(self) -> None:
        scenario = self.scenario
        self.boot = scenario.backend(scenario.ram_backend or "")
        memory = [one for one in scenario.devices if not isinstance(one, VhostDevice | Pmem)]
        owned = (scenario.backend(one.memdev or "") for one in memory)
        backends = [one for one in (self.boot, *owned) if one is not None]
        vhost_user = any(isinstance(one, VhostDevice) and not one.kernel for one in scenario.devices)
        mapped = self.boot is not None and self.boot.has_fd and self.boot.share
        # a vhost-user back end maps memory with a file descriptor, and libvirt insists on it
        self.memfd = any(one.kind == "memfd" for one in backends) or (vhost_user and not mapped)
        self.page = self.boot.page_size if self.boot and self.boot.page_size in PAGES else 4 * KiB
        self.access = self._access(shared=vhost_user or bool(self.boot and self.boot.share))
        pmem = (scenario.backend(one.memdev or "") for one in scenario.devices if isinstance(one, Pmem))
        self.immediate = any(one.prealloc and one.page_size == 4 * KiB for one in (*backends, *pmem) if one)
        nodes = max((one.node for one in memory if isinstance(one, VirtioMem | Dimm)), default=0) + 1
        chunk = round_up(MiB, self.page)
        self.nodes = nodes if nodes <= MAX_NODES and scenario.ram >= nodes * chunk else 1
        self.chunk = chunk
        self.slots = self._dimm_slots()

    def _access(self, *, shared: bool) -> str | None:
        if self.memfd:
            return "shared" if shared or self.boot is None else "private"
        if self.boot is None or self.boot.kind == "ram":
            return None
        huge_and_private = self.page != 4 * KiB and not self.boot.share
        return None if huge_and_private else "shared" if self.boot.share else "private"

    def domain(self) -> ET.Element:
        """Return the ``<domain>``."""
        scenario = self.scenario
        domain = ET.Element("domain", type="kvm" if scenario.accel == "kvm" else "qemu")
        _text(domain, "name", NAME)
        added = [one for one in scenario.devices if not isinstance(one, VhostDevice)]
        if scenario.maxmem != scenario.ram or scenario.ram_slots or added:
            maximum = _size(domain, "maxMemory", scenario.maxmem)
            if scenario.ram_slots:
                maximum.set("slots", str(scenario.ram_slots))
        owned = (scenario.backend(one.memdev or "") for one in added)
        _size(domain, "memory", scenario.ram + sum(one.size for one in owned if one))
        self._memory_backing(domain)
        _text(domain, "vcpu", str(self.nodes))
        _text(ET.SubElement(domain, "os"), "type", "hvm", arch="x86_64", machine=self._machine())
        features = ET.SubElement(domain, "features")
        ET.SubElement(features, "acpi")
        if scenario.smm:
            ET.SubElement(features, "smm", state="on")
        self._cpu(domain, numa=bool(added) or scenario.maxmem != scenario.ram)
        self._devices(ET.SubElement(domain, "devices"))
        self._override(domain)
        return domain

    def _machine(self) -> str:
        version = self.scenario.machine_version
        prefix = {"q35": "pc-q35", "pc": "pc-i440fx"}[self.scenario.chipset]
        return f"{prefix}-{version[0]}.{version[1]}" if version else self.scenario.chipset

    def _memory_backing(self, domain: ET.Element) -> None:
        backing = ET.Element("memoryBacking")
        if self.page != 4 * KiB:
            ET.SubElement(ET.SubElement(backing, "hugepages"), "page", size=str(self.page // KiB), unit="KiB")
        if self.memfd:
            ET.SubElement(backing, "source", type="memfd")
        if self.access:
            ET.SubElement(backing, "access", mode=self.access)
        if self.immediate:
            ET.SubElement(backing, "allocation", mode="immediate")
        if len(backing):
            domain.append(backing)

    def _cpu(self, domain: ET.Element, *, numa: bool) -> None:
        scenario = self.scenario
        vendor, bits = scenario.cpu_vendor, scenario.phys_bits
        if scenario.accel == "kvm" and vendor is None:
            cpu = ET.SubElement(domain, "cpu", mode="host-passthrough")
        else:
            # nothing is the host's there: what is not known must not move or refuse anything
            vendor, bits = vendor or "intel", bits or self._enough_phys_bits()
            cpu = ET.SubElement(domain, "cpu", mode="custom", match="exact", check="none")
            _text(cpu, "model", "qemu64", fallback="allow", vendor_id=_VENDORS[vendor])
        if bits is not None:
            ET.SubElement(cpu, "maxphysaddr", mode="emulate", bits=str(bits))
        if not numa:
            return
        cells = ET.SubElement(cpu, "numa")
        # memory for every cell: libvirt used to know none without
        first = scenario.ram - (self.nodes - 1) * self.chunk
        for node in range(self.nodes):
            size = self.chunk if node else first
            ET.SubElement(cells, "cell", id=str(node), cpus=str(node), memory=str(-(-size // KiB)), unit="KiB")
        if self.nodes > 1:
            self.notes.append(f"RAM: it is split into {self.nodes} NUMA cells, because devices name nodes")

    def _enough_phys_bits(self) -> int:
        for bits in _PHYS_BITS[:-1]:
            try:
                pc_layout(replace(self.scenario, phys_bits=bits))
            except WorkbookError:
                continue
            return bits
        return _PHYS_BITS[-1]

    # -- devices --------------------------------------------------------------------------------------------------

    def _devices(self, group: ET.Element) -> None:
        memory = [(index, one) for index, one in enumerate(self.scenario.devices) if not isinstance(one, VhostDevice)]
        vhost = [(index, one) for index, one in enumerate(self.scenario.devices) if isinstance(one, VhostDevice)]
        counts: dict[str, int] = {}
        for index, device in memory:
            self._memory(ET.SubElement(group, "memory", model=device.type), index, device)
        for driver in _ORDER:
            alike = [(index, one) for index, one in vhost if one.driver == driver]
            # a domain has one vsock
            for index, one in alike[:1] if driver == "vhost-vsock-pci" else alike:
                self._vhost(group, index, one, counts)
        if self.scenario.display:
            ET.SubElement(ET.SubElement(group, "video"), "model", type="vga", primary="yes")

    def _name(self, element: ET.Element, index: int, prefix: str, number: int | None = None) -> str:
        """Name a device: as libvirt would by itself where that is its id, else by an alias of the user's."""
        device = self.scenario.devices[index]
        netdev = isinstance(device, VhostDevice) and device.driver.startswith("netdev ")
        wanted = device.id or ""
        name = (wanted.removeprefix("host") if netdev else wanted).removeprefix("ua-")
        alias = self.aliases.default(prefix, number)
        if name != alias and re.fullmatch(r"[A-Za-z0-9_-]+", name) and f"ua-{name}" not in self.aliases.used:
            alias = f"ua-{name}"
            ET.SubElement(element, "alias", name=alias)
        self.aliases.used.append(alias)
        self.names[index] = f"host{alias}" if netdev else alias
        return self.names[index]

    def _dimm_slots(self) -> dict[int, int]:
        """Give every DIMM its slot, as libvirt does: the first free one where none is asked for."""
        dimms = {index: one for index, one in enumerate(self.scenario.devices) if isinstance(one, Dimm)}
        slots = {index: one.slot for index, one in dimms.items() if one.slot >= 0}
        free = (number for number in count() if number not in slots.values())
        for index in dimms:
            if index not in slots:
                slots[index] = next(free)
        return slots

    def _memory(self, element: ET.Element, index: int, device: VirtioMem | Dimm | Pmem) -> None:
        backend = self.scenario.backend(device.memdev or "") or MemoryBackend(id="none", size=0)
        self._source(element, device, backend)
        target = ET.SubElement(element, "target")
        _size(target, "size", backend.size)
        if not isinstance(device, Pmem):
            _text(target, "node", str(device.node))
        unknown = self.rules.unknown_properties if self.rules else ()
        if isinstance(device, VirtioMem):
            if device.dynamic_memslots is not None and "dynamic-memslots" not in unknown:
                target.set("dynamicMemslots", "yes" if device.dynamic_memslots else "no")
            _size(target, "block", device.block_size or default_block_size(backend.page_size))
            _size(target, "requested", device.requested_size)
        address = device.addr if isinstance(device, Dimm) else device.memaddr
        if address and not isinstance(device, Dimm):
            ET.SubElement(target, "address", base=hex(address))
        slot = self.slots.get(index)
        name = self._name(element, index, ALIAS_PREFIXES[device.type], slot)
        if slot is not None:
            base = {"base": hex(address)} if address else {}
            ET.SubElement(element, "address", {"type": "dimm", "slot": str(slot), **base})
        if isinstance(device, VirtioMem):
            own = self.immediate or backend.page_size != 4 * KiB
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
        if isinstance(device, Pmem):
            element.set("access", "shared")
            path = backend.mem_path or ""
            _text(
                ET.SubElement(element, "source"),
                "path",
                path if path.isprintable() and path else f"/var/lib/libvirt/images/{NAME}.pmem",
            )
            return
        page = backend.page_size if backend.page_size in PAGES else self.page
        if page != self.page:
            _size(ET.SubElement(element, "source"), "pagesize", page)
        access = "shared" if backend.share else "private"
        is_file = backend.kind == "file" and page == 4 * KiB
        if access != (self.access or "private") or (is_file and not self.memfd and not self.access):
            element.set("access", access)

    def _vhost(self, group: ET.Element, index: int, device: VhostDevice, counts: dict[str, int]) -> None:
        tag = _TAGS[device.driver]
        number = counts.get(tag, 0)
        counts[tag] = number + 1
        element = ET.SubElement(group, tag)
        name = self._name(element, index, ALIAS_PREFIXES[tag], number if tag in COUNTED or tag == "disk" else None)
        socket = f"/run/{name}.sock"
        match device.driver:
            case "vhost-user-blk-pci":
                element.attrib.update(type="vhostuser", device="disk")
                ET.SubElement(element, "source", type="unix", path=socket)
                ET.SubElement(element, "target", dev=disk_name(number), bus="virtio")
            case "vhost-user-fs-pci":
                element.set("type", "mount")
                ET.SubElement(element, "driver", type="virtiofs")
                ET.SubElement(element, "source", socket=socket)
                ET.SubElement(element, "target", dir=name)
            case "netdev vhost-user":
                element.set("type", "vhostuser")
                ET.SubElement(element, "source", type="unix", path=socket, mode="client")
                ET.SubElement(element, "model", type="virtio")
            case "netdev tap":
                element.set("type", "network")
                ET.SubElement(element, "source", network="default")
                ET.SubElement(element, "model", type="virtio")
            case "vhost-user-vga" | "vhost-user-gpu-pci":
                ET.SubElement(element, "driver", name="vhostuser")
                primary = "yes" if device.driver == "vhost-user-vga" else "no"
                ET.SubElement(element, "model", type="virtio", primary=primary)
            case "vhost-scsi-pci":
                element.attrib.update(mode="subsystem", type="scsi_host")
                ET.SubElement(element, "source", protocol="vhost", wwpn="naa.5001405000000000")
            case _:
                element.set("model", "virtio")
                ET.SubElement(element, "cid", auto="yes")
        element[:] = sorted(element, key=lambda one: one.tag == "alias")

    def _override(self, domain: ET.Element) -> None:
        if not self.overrides:
            return
        group = ET.SubElement(domain, f"{{{QEMU_NAMESPACE}}}override")
        for alias, found in self.overrides.items():
            device = ET.SubElement(group, f"{{{QEMU_NAMESPACE}}}device", alias=alias)
            frontend = ET.SubElement(device, f"{{{QEMU_NAMESPACE}}}frontend")
            for key, value in found.items():
                kind = "bool" if isinstance(value, bool) else "unsigned" if isinstance(value, int) else "string"
                shown = str(value).lower() if isinstance(value, bool) else str(value)
                ET.SubElement(frontend, f"{{{QEMU_NAMESPACE}}}property", name=key, type=kind, value=shown)


_TAGS: Final = {
    "vhost-user-blk-pci": "disk",
    "vhost-user-fs-pci": "filesystem",
    "netdev vhost-user": "interface",
    "netdev tap": "interface",
    "vhost-user-vga": "video",
    "vhost-user-gpu-pci": "video",
    "vhost-scsi-pci": "hostdev",
    "vhost-vsock-pci": "vsock",
}


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = text
    return element


def _size(parent: ET.Element, tag: str, size: int) -> ET.Element:
    return _text(parent, tag, str(-(-size // KiB)), unit="KiB")
