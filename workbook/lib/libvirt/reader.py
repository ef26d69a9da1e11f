"""libvirt domain XML to a `Scenario`, by way of the command line that libvirt makes of it.

Sources: libvirt's "Domain XML format" (https://libvirt.org/formatdomain.html: Memory Allocation, Memory Backing,
CPU model and topology, Memory devices; ``dynamicMemslots`` since libvirt 10.1), the pairs of XML and command line in
libvirt's own tests (tests/qemuxmlconfdata, libvirt 10 to 11), src/conf/domain_postparse.c (what ``<memory>`` counts)
and src/qemu/qemu_domain.c (alignment, the automatic NUMA cell). Compared with ``virsh domxml-to-native qemu-argv`` of
libvirt 11.3 for some 260 generated domains: the same options, the same domains refused; only ``host-model`` is taken
as the host's CPU here and spelled out there.

libvirt counts differently from QEMU: ``<memory>`` is RAM *and* memory devices, ``-m size=`` is the RAM alone, which
is the sum of the NUMA cells, or what the devices leave of ``<memory>``; ``<maxMemory>`` is ``maxmem=``;
``<currentMemory>`` is a balloon's business.
"""

import json
from collections.abc import Mapping
from itertools import count
from typing import Any, Final
from xml.etree import ElementTree as ET

from workbook.lib.errors import BadInput
from workbook.lib.qemu_args.reader import read_argv
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Scenario, VhostDevice
from workbook.lib.size import KiB, MiB, format_size, round_up

from . import xml
from .aliases import ALIAS_PREFIXES, COUNTED, Aliases, disk_number
from .memory import PAGES, MemoryElement, page_of

__all__ = ("domain_to_argv", "read_domain")

CELL_GRANULE: Final = MiB
"""To which libvirt rounds NUMA cells and ``<maxMemory>`` on x86 (``qemuDomainAlignMemorySizes``)."""
_CPU_MODES: Final = ("custom", "host-model", "host-passthrough", "maximum")
_TAP: Final = ("network", "bridge", "ethernet", "direct")


def read_domain(
    text: str, *, rules: RuleSet | None = None, vhost_slots: Mapping[str, int | None] | None = None
) -> Scenario:
    """Read libvirt domain XML.

    A piece of it will do: ``<memory model='virtio-mem'>``, with ``<maxMemory>`` beside it or not, within any element
    or none. Then KVM, q35 and 4 GiB of RAM are taken where nothing is said, and just enough maximum memory.

    Devices come in the order in which QEMU makes them for libvirt: network back ends, memory devices, then
    everything else with a vhost back end. Several NUMA cells are taken as one piece of RAM.

    Parameters
    ----------
    rules
        What the QEMU is that libvirt starts: properties it does not know are refused with its words.
    vhost_slots
        Memslots that vhost back ends report, by device id, which is ``<alias name=>`` or libvirt's own (``fs0``,
        ``hostnet0``, ``virtio-disk0``, ``vsock0``).

    Raises
    ------
    BadInput
        The XML cannot be read, libvirt would refuse it, or it asks for something that matters and is not modelled.
    Refusal
        A property or size that QEMU refuses.
    """
    scenario = read_argv(domain_to_argv(text), rules=rules, vhost_slots=vhost_slots)
    known = [one.id for one in scenario.devices if isinstance(one, VhostDevice)]
    for name in vhost_slots or ():
        if name not in known:
            there = ", ".join(map(str, known)) or "none"
            raise BadInput(f"vhost_slots names {name!r:.60}, but the domain's vhost devices are: {there}")
    return scenario


def domain_to_argv(text: str) -> list[str]:
    """Return the options of QEMU that libvirt makes of domain XML, as far as they matter for memory slots.

    As ``virsh domxml-to-native qemu-argv`` prints them, but for a boot RAM without special memory, which is left to
    QEMU, and for several NUMA cells, which become one.

    Raises
    ------
    BadInput
        As `read_domain`.
    """
    domain, whole = xml.parse_domain(text)
    return _Domain(domain, whole).argv()


class _Domain:
    """A domain being translated, in the order of libvirt's command line."""

    def __init__(self, domain: ET.Element, whole: bool) -> None:
        self.domain = domain
        self.whole = whole
        self.elements = xml.devices(domain, whole=whole)
        self.memory = [MemoryElement.of(one) for one in self.elements if one.tag == "memory"]
        if sum(one.tag == "vsock" for one in self.elements) > 1:
            raise BadInput("<vsock> is there twice: a domain has one at most")
        self.backing = xml.one(domain, "memoryBacking", whole=whole)
        self.cells = list(xml.children(xml.one(domain, "cpu/numa", whole=whole), "cell"))
        self.accel = self._accel()
        self.aliases = Aliases()
        self.source = xml.attribute(self.backing, "source", "type", ("anonymous", "file", "memfd"))
        self.access = xml.attribute(self.backing, "access", "mode", ("shared", "private"))
        self.immediate = xml.attribute(self.backing, "allocation", "mode", ("immediate", "ondemand")) == "immediate"

    def argv(self) -> list[str]:
        ram, maxmem, slots = self._sizes()
        machine = [self._machine()]
        boot = self._boot_backend(ram, numa=bool(self.cells) or maxmem is not None)
        if boot is not None and boot["id"] == "pc.ram":
            machine.append("memory-backend=pc.ram")
        if xml.attribute(self._one("features"), "smm", "state", ("on", "off")) == "on":
            machine.append("smm=on")
        size = [f"size={ram // KiB}k"] + ([f"slots={slots}"] if slots else [])
        size += [] if maxmem is None else [f"maxmem={maxmem // KiB}k"]
        argv = ["-accel", self.accel, "-machine", ",".join(machine), *self._cpu(), "-m", ",".join(size), "-nodefaults"]
        if any(self._is_vga(one) for one in self.elements):
            argv += ["-vga", "std"]
        if boot is not None:
            argv += ["-object", json.dumps(boot)]
            if boot["id"] != "pc.ram":
                argv += ["-numa", f"node,nodeid=0,memdev={boot['id']}"]
        # QEMU makes -netdev before any -device, wherever it stands
        argv += self._vhost("interface") + self._memory_devices()
        for tag in ("disk", "filesystem", "video", "hostdev", "vsock"):
            argv += self._vhost(tag)
        return argv + self._passed_through()

    def _one(self, path: str) -> ET.Element | None:
        return xml.one(self.domain, path, whole=self.whole)

    # -- the machine ----------------------------------------------------------------------------------------------

    def _accel(self) -> str:
        kind = self.domain.get("type", "kvm") if self.whole else "kvm"
        if kind not in ("kvm", "qemu"):
            raise BadInput(f"<domain type={kind!r:.60}> is not modelled: known are kvm and qemu")
        return {"kvm": "kvm", "qemu": "tcg"}[kind]

    def _machine(self) -> str:
        kind = self._one("os/type")
        arch = xml.attribute(kind, ".", "arch")
        if arch not in (None, "x86_64"):
            raise BadInput(f"<type arch={arch!r:.60}> is not modelled: only x86_64 is")
        name = xml.attribute(kind, ".", "machine") or ("pc" if self.whole else "q35")
        if "," in name:
            raise BadInput(f"<type machine={name!r:.60}> is no machine type: a name such as pc-q35-8.2 is")
        return name

    def _cpu(self) -> list[str]:
        cpu = self._one("cpu")
        mode = xml.attribute(cpu, ".", "mode", _CPU_MODES) or "custom"
        model = {"host-model": "host", "host-passthrough": "host", "maximum": "max"}.get(mode)
        named = xml.text_of(cpu, "model") if mode == "custom" else None
        vendor = xml.attribute(cpu, "model", "vendor_id") if named else None
        options = [f"vendor={vendor}"] if vendor else []
        if xml.attribute(cpu, "maxphysaddr", "mode", ("emulate", "passthrough")) == "emulate":
            bits = xml.unsigned(xml.attribute(cpu, "maxphysaddr", "bits") or "", "<maxphysaddr bits=>")
            options.append(f"phys-bits={bits}")
        elif xml.attribute(cpu, "maxphysaddr", "mode"):
            options.append("host-phys-bits=on")
        if not self.whole and cpu is None:
            return []
        # libvirt's default where no model is named
        name = model or named or "qemu64"
        if any("," in one for one in (name, *options)):
            raise BadInput(f"<cpu> names {name!r:.60} {vendor or ''}: no CPU model or vendor has a comma")
        return ["-cpu", ",".join([name, *options])]

    @staticmethod
    def _is_vga(element: ET.Element) -> bool:
        return element.tag == "video" and xml.attribute(element, "model", "type") in ("vga", "cirrus", "qxl", "bochs")

    # -- sizes ----------------------------------------------------------------------------------------------------

    def _scaled(self, path: str) -> int | None:
        found = self._one(path)
        return None if found is None else xml.scaled(found.text, found.get("unit"), f"<{path}>")

    def _sizes(self) -> tuple[int, int | None, int]:
        """Return RAM, maximum memory (None where there is none) and DIMM slots."""
        added = sum(one.size for one in self.memory)
        cells = [xml.scaled(one.get("memory"), one.get("unit"), "<cell memory=>") for one in self.cells]
        total = self._scaled("memory")
        if self.cells:
            initial, ram = sum(cells), sum(round_up(one, CELL_GRANULE) for one in cells)
        elif total is not None:
            if total < added:
                raise BadInput(
                    f"<memory> is {format_size(total)}, less than the memory devices, {format_size(added)}: "
                    "it counts RAM and devices together"
                )
            initial, ram = total - added, round_up(total - added, CELL_GRANULE)
        elif self.whole:
            raise BadInput("<memory> is missing: give it, or NUMA cells with memory=")
        else:
            initial = ram = Scenario().ram
        if not ram:
            raise BadInput("the domain has no RAM: <memory> must exceed the memory devices, or give NUMA cells")
        return ram, self._maxmem(ram, initial + added), self._slots()

    def _slots(self) -> int:
        maximum, dimms = self._one("maxMemory"), sum(one.model == "dimm" for one in self.memory)
        if maximum is None:
            return dimms
        slots = xml.unsigned(xml.attribute(maximum, ".", "slots") or "0", "<maxMemory slots=>")
        last = max(filter(None, map(self._dimm_slot, self.memory)), default=0)
        if dimms and slots <= max(dimms - 1, last):
            raise BadInput(
                f"<maxMemory slots='{slots}'> has no slot {max(dimms - 1, last)}: every <memory model='dimm'> needs one"
            )
        return slots

    def _maxmem(self, ram: int, total: int) -> int | None:
        given = self._scaled("maxMemory")
        if given is None:
            if self.memory and self.whole:
                raise BadInput("<maxMemory> is missing: memory devices need it, at least <memory>")
            return ram + sum(one.aligned for one in self.memory) if self.memory else None
        if given < total:
            raise BadInput(
                f"<maxMemory> is {format_size(given)}: it must be at least RAM and memory devices, {format_size(total)}"
            )
        return round_up(given, CELL_GRANULE)

    # -- memory ---------------------------------------------------------------------------------------------------

    def _hugepage_of(self, node: int) -> int:
        """Return the page size that ``<hugepages>`` gives to a NUMA node; 4 KiB for none."""
        huge = next(xml.children(self.backing, "hugepages"), None)
        if huge is None:
            return 4 * KiB
        pages, default = list(huge.findall("page")), 0
        for one in pages:
            size = page_of(one.get("size"), one.get("unit"), "<page size=>")
            nodes = one.get("nodeset")
            if nodes is None:
                default = size
            elif node in _nodeset(nodes):
                return size
        return default or (4 * KiB if pages else 2 * MiB)

    def _backend(self, name: str, size: int, page: int, access: str | None, path: str | None = None) -> dict[str, Any]:
        """Return the ``-object`` that libvirt makes (``qemuBuildMemoryBackendProps``)."""
        props: dict[str, Any] = {"qom-type": "memory-backend-ram", "id": name}
        huge = page != 4 * KiB
        if path is None and self.source == "memfd":
            props["qom-type"] = "memory-backend-memfd"
            props |= {"hugetlb": True, "hugetlbsize": page} if huge else {}
        elif path is not None or huge or access or self.source == "file":
            props["qom-type"] = "memory-backend-file"
            huge_path = f"/dev/hugepages{PAGES[page]}/libvirt/qemu"
            props["mem-path"] = path or (huge_path if huge else f"/var/lib/libvirt/qemu/ram/{name}")
        if access:
            props["share"] = access == "shared"
        return props | ({"prealloc": True} if huge or self.immediate else {}) | {"size": size}

    def _boot_backend(self, ram: int, *, numa: bool) -> dict[str, Any] | None:
        cell = self.cells[0] if self.cells else None
        node = 0 if cell is None else xml.unsigned(cell.get("id") or "0", "<cell id=>")
        access = xml.attribute(cell, ".", "memAccess", ("shared", "private")) or self.access
        props = self._backend("ram-node0" if numa else "pc.ram", ram, self._hugepage_of(node), access)
        return None if set(props) == {"qom-type", "id", "size"} and props["qom-type"] == "memory-backend-ram" else props

    def _memory_devices(self) -> list[str]:
        argv: list[str] = []
        taken = [self._dimm_slot(one) for one in self.memory if one.model == "dimm"]
        twice = next((one for one in taken if one is not None and taken.count(one) > 1), None)
        if twice is not None:
            raise BadInput(f"<address type='dimm' slot='{twice}'> is there twice: every DIMM has its own slot")
        for one in self.memory:
            if one.node and one.node >= max(1, len(self.cells)) and (self.whole or self.cells):
                raise BadInput(f"<memory model='{one.model}'> <node> is {one.node}: the NUMA cells end before it")
            props: dict[str, Any] = {}
            slot: int | None = None
            if one.model == "dimm":
                slot = self._dimm_slot(one)
                if slot is None:
                    slot = next(number for number in count() if number not in taken)
                    taken.append(slot)
            name = self.aliases.take(one.element, ALIAS_PREFIXES[one.model], slot)
            backend = self._device_backend(one, f"mem{name}")
            props = {"driver": "pc-dimm" if slot is not None else f"{one.model}-pci"}
            if one.model != "virtio-pmem":
                props["node"] = one.node
            if one.model == "virtio-mem":
                block, requested = one.check_virtio_mem()
                props |= {"block-size": block} | ({"requested-size": requested} if requested else {})
                backend["reserve"] = False
                props |= {"prealloc": True} if backend.pop("prealloc", False) else {}
            props |= {"memdev": backend["id"]}
            base = one.base("address[@type='dimm']" if slot is not None else "target/address")
            props |= {"addr" if slot is not None else "memaddr": base} if base else {}
            dynamic = xml.attribute(one.element, "target", "dynamicMemslots", ("yes", "no"))
            if dynamic and one.model == "virtio-mem":
                props["dynamic-memslots"] = dynamic == "yes"
            props |= {"id": name} | ({} if slot is None else {"slot": slot})
            argv += ["-object", json.dumps(backend), "-device", self._device(props)]
        return argv

    @staticmethod
    def _dimm_slot(one: MemoryElement) -> int | None:
        value = xml.attribute(one.element, "address[@type='dimm']", "slot")
        return None if value is None else xml.unsigned(value, "<address slot=>", most=255)

    def _device_backend(self, one: MemoryElement, name: str) -> dict[str, Any]:
        access = xml.attribute(one.element, ".", "access", ("shared", "private"))
        if one.model == "virtio-pmem":
            path = xml.text_of(one.element, "source/path")
            if not path or access != "shared":
                raise BadInput("<memory model='virtio-pmem'> needs access='shared' and <source> with a <path>")
            return self._backend(name, one.aligned, 4 * KiB, access, path)
        page = xml.text_of(one.element, "source/pagesize")
        unit = xml.attribute(one.element, "source/pagesize", "unit")
        size = self._hugepage_of(one.node) if page is None else page_of(page, unit, "<pagesize>")
        cell = self.cells[one.node] if one.node < len(self.cells) else None
        access = access or xml.attribute(cell, ".", "memAccess", ("shared", "private")) or self.access
        return self._backend(name, one.aligned, size, access)

    # -- other devices --------------------------------------------------------------------------------------------

    def _vhost(self, tag: str) -> list[str]:
        argv: list[str] = []
        for index, one in enumerate(one for one in self.elements if one.tag == tag):
            prefix, number = ALIAS_PREFIXES[tag], index if tag in COUNTED else None
            if tag == "disk":
                target = xml.attribute(one, "target", "dev") or ""
                number = disk_number(target)
                prefix = prefix if number is not None else f"{target[:2]}-disk"
            name = self.aliases.take(one, prefix, number)
            driver = self._vhost_driver(one)
            if driver.startswith("netdev "):
                netdev = {"type": driver.removeprefix("netdev "), "id": f"host{name}"}
                argv += ["-netdev", json.dumps(netdev | ({"vhost": True} if netdev["type"] == "tap" else {}))]
            elif driver:
                argv += ["-device", self._device({"driver": driver, "id": name})]
        return argv

    def _vhost_driver(self, one: ET.Element) -> str:
        """Return the QEMU device with a vhost back end that libvirt makes of an element; empty for none."""
        kind, driver = one.get("type"), next(xml.children(one, "driver"), None)
        match one.tag:
            case "filesystem":
                return "vhost-user-fs-pci" if xml.attribute(driver, ".", "type") == "virtiofs" else ""
            case "disk":
                return "vhost-user-blk-pci" if kind == "vhostuser" else ""
            case "interface":
                virtio = (xml.attribute(one, "model", "type") or "").startswith("virtio")
                kernel = virtio and kind in _TAP and xml.attribute(driver, ".", "name") != "qemu"
                return "netdev vhost-user" if kind == "vhostuser" else "netdev tap" if self._kvm(kernel) else ""
            case "video":
                vga = xml.attribute(one, "model", "primary") != "no"
                is_vhost = xml.attribute(driver, ".", "name") == "vhostuser"
                return ("vhost-user-vga" if vga else "vhost-user-gpu-pci") if is_vhost else ""
            case "hostdev":
                vhost = kind == "scsi_host" and xml.attribute(one, "source", "protocol") == "vhost"
                return "vhost-scsi-pci" if vhost else ""
            case _:
                return "vhost-vsock-pci"

    def _kvm(self, kernel: bool) -> bool:
        return kernel and self.accel == "kvm"

    # -- past libvirt ---------------------------------------------------------------------------------------------

    def _device(self, props: dict[str, Any]) -> str:
        """Return a ``-device``, changed as ``<qemu:override>`` says (libvirt 8.2)."""
        space = f"{{{xml.QEMU_NAMESPACE}}}"
        for device in self.domain.iter(f"{space}device"):
            if device.get("alias") == props["id"]:
                for one in device.iterfind(f"{space}frontend/{space}property"):
                    name, value = one.get("name", ""), one.get("value", "")
                    kind = xml.attribute(one, ".", "type", ("string", "signed", "unsigned", "bool", "remove"))
                    if kind == "remove":
                        props.pop(name, None)
                    else:
                        props[name] = _typed(kind, value, name)
        return json.dumps(props)

    def _passed_through(self) -> list[str]:
        """Return what ``<qemu:commandline>`` appends."""
        space = f"{{{xml.QEMU_NAMESPACE}}}"
        return [one.get("value", "") for one in self.domain.iter(f"{space}arg")]


def _typed(kind: str | None, value: str, name: str) -> str | int | bool:
    where = f"<qemu:property name={name!r:.60}>"
    if kind == "bool":
        if value not in ("true", "false"):
            raise BadInput(f"{where}: {value!r:.60} is neither true nor false")
        return value == "true"
    if kind in ("signed", "unsigned"):
        negative = kind == "signed" and value.startswith("-")
        number = xml.unsigned(value[1:] if negative else value, where, most=(1 << 64) - 1)
        return -number if negative else number
    return value


def _nodeset(text: str) -> set[int]:
    """Read ``0-2,5,^1``; node numbers stay below libvirt's limit."""
    nodes: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().removeprefix("^").partition("-")
        low = xml.unsigned(first, f"nodeset {text!r:.60}", most=1023)
        span = range(low, (xml.unsigned(last, f"nodeset {text!r:.60}", most=1023) if dash else low) + 1)
        nodes = nodes - set(span) if part.strip().startswith("^") else nodes | set(span)
    return nodes
