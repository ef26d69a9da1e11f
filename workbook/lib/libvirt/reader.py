"""libvirt domain XML to a `Scenario`, by way of the command line that libvirt makes of it.

Sources: libvirt's "Domain XML format" (https://libvirt.org/formatdomain.html), the pairs of XML and command line in
libvirt's own tests (tests/qemuxmlconfdata), src/conf/domain_postparse.c (what ``<memory>`` counts),
src/qemu/qemu_command.c (``qemuBuildCommandLine``, the order) and src/qemu/qemu_postparse.c (the automatic NUMA cell),
libvirt 11.3.

libvirt counts differently from QEMU: ``<memory>`` is RAM *and* memory devices, ``-m size=`` is the RAM alone, which
is the sum of the NUMA cells, or what the devices leave of ``<memory>``; ``<maxMemory>`` is ``maxmem=``;
``<currentMemory>`` is a balloon's business.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from xml.etree import ElementTree as ET

from workbook.lib.errors import BadInput
from workbook.lib.host import Host
from workbook.lib.qemu_args import CommandLine, read_command_line, scenario_of
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Scenario, VhostDevice
from workbook.lib.size import KiB, MiB, format_size, round_up

from . import xml
from .aliases import ALIAS_PREFIXES, COUNTED, Aliases, disk_number
from .backing import Backing, Props
from .cpu import cpu_option
from .devices import hostdev_props, iommu_props, is_vhost_user, pstore_props, shmem_props, vhost_props
from .displays import display_props, displays
from .firmware import Firmware, machine_type, pci_hole_options, tseg_options
from .memory import MemoryElement, check_memory, dimm_slots
from .network import netdev_props, nic_props
from .numa import Cell, read_cells
from .refusals import unsupported, xml_error
from .vocabulary import domain_notes

__all__ = ("domain_to_argv", "read_domain", "read_domain_line")

CELL_GRANULE: Final = MiB
"""Granularity to which libvirt rounds NUMA cells and ``<maxMemory>`` on x86 (``qemuDomainAlignMemorySizes``)."""
MOST_MEMORY: Final = (1 << 63) - 1
"""Bytes that libvirt counts to (``virMemoryMaxValue``)."""
NUMA_MEM_UNTIL: Final = (5, 0)
"""The last machine type that takes ``-numa node,mem=`` (hw/i386/pc_piix.c, QEMU 5.1: ``numa_mem_supported``)."""
_VERSION = re.compile(r"-(\d{1,4})\.(\d{1,4})$")


def read_domain(
    text: str,
    *,
    rules: RuleSet | None = None,
    vhost_slots: Mapping[str, int | None] | None = None,
    host: Host | None = None,
) -> Scenario:
    """Read libvirt domain XML.

    A fragment is enough: ``<memory model='virtio-mem'>``, with ``<maxMemory>`` beside it or not, within any element
    or none. Defaults are then KVM, q35, 4 GiB of RAM and just enough maximum memory.

    Devices come in the order in which QEMU makes them for libvirt: network back ends, memory devices, then
    everything else with a vhost back end.

    Parameters
    ----------
    rules
        Target QEMU: properties it does not support raise Refusal with its message.
    vhost_slots
        Memslots that vhost back ends report, by device id, which is ``<alias name=>`` or libvirt's own (``fs0``,
        ``hostnet0``, ``virtio-disk0``, ``vsock0``).
    host
        What is known of the host.

    Raises
    ------
    BadInput
        The XML cannot be read, or it asks for something that matters and is not modelled.
    Refusal
        libvirt would refuse it (`Refusal.who` says so), or QEMU would.
    """
    line = read_domain_line(text, rules=rules, vhost_slots=vhost_slots, host=host)
    return scenario_of(line)


def read_domain_line(
    text: str,
    *,
    rules: RuleSet | None = None,
    vhost_slots: Mapping[str, int | None] | None = None,
    host: Host | None = None,
) -> CommandLine:
    """Read libvirt domain XML as `read_domain`, with the notes, and what QEMU refuses of the devices as a value.

    Raises
    ------
    BadInput, Refusal
        As `read_domain`.
    """
    domain, whole = xml.parse_domain(text)
    argv = _Domain(domain, whole).argv()
    line = read_command_line(argv, rules=rules, vhost_slots=vhost_slots, host=host, complete=False)
    known = [one.id for one in line.scenario.devices if isinstance(one, VhostDevice)]
    for name in vhost_slots or () if line.failure is None else ():
        if name not in known:
            there = ", ".join(map(str, known)) or "none"
            raise BadInput(f"vhost_slots names {name!r:.60}, but the domain's vhost devices are: {there}")
    return replace(line, notes=(*domain_notes(domain, whole=whole), *line.notes))


def domain_to_argv(text: str) -> list[str]:
    """Return the command line that libvirt makes of domain XML, as far as it matters for memory slots.

    As ``virsh domxml-to-native qemu-argv`` prints it, but for a boot RAM without special memory, which is left to
    QEMU.

    Raises
    ------
    BadInput, Refusal
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
        vcpu = xml.text_of(domain, "vcpu") if whole else None
        vcpus = None if vcpu is None else xml.unsigned(vcpu, "<vcpu>")
        self.cells = read_cells(self._one("cpu/numa"), vcpus)
        self.backing = Backing.of(self._one("memoryBacking"), self.cells, self._one("numatune"))
        self.accel = self._accel()
        self.machine = machine_type(self._one("os/type"), whole=whole)
        self.acpi = not whole or domain.find("features/acpi") is not None
        self.aliases = Aliases()

    def argv(self) -> list[str]:
        self._share_memory()
        ram, maxmem, slots = self._sizes()
        check_memory(self.memory, len(self.cells) or 1)
        smm = self._smm()
        firmware = Firmware.of(self._one("os"), machine=self.machine, smm=smm, acpi=self.acpi)
        ram_options = self._ram(ram)
        machine = [self.machine, *self._machine_options(firmware, smm)]
        if ram_options and not self.cells:
            machine.append("memory-backend=pc.ram")
        size = [f"size={ram // KiB}k"] + ([f"slots={slots}"] if slots else [])
        size += [] if maxmem is None else [f"maxmem={maxmem // KiB}k"]
        argv = [self._program()]
        for props in firmware.blockdevs():
            argv += ["-blockdev", json.dumps(props)]
        argv += [
            "-machine",
            ",".join(machine),
            "-accel",
            self.accel,
            *tseg_options(self._one("features")),
            *self._cpu(),
        ]
        argv += ["-global", "driver=cfi.pflash01,property=secure,value=on"] if firmware.secure else []
        argv += ["-bios", firmware.bios] if firmware.bios else []
        argv += ["-m", ",".join(size), *ram_options]
        argv += ["-overcommit", "mem-lock=on"] if self.domain.find("memoryBacking/locked") is not None else []
        argv += ["-nodefaults", *pci_hole_options(self.elements)]
        for tag in ("iommu", "memory", "disk", "filesystem", "interface", "video", "hostdev"):
            argv += self._devices(tag)
        argv += self._passed_through()
        for tag in ("shmem", "vsock", "pstore"):
            argv += self._devices(tag)
        return argv

    def _one(self, path: str) -> ET.Element | None:
        return xml.one(self.domain, path, whole=self.whole)

    # -- the machine ----------------------------------------------------------------------------------------------

    def _program(self) -> str:
        emulator = xml.text_of(self.domain, "devices/emulator") or ""
        i686 = xml.attribute(self._one("os/type"), ".", "arch") == "i686"
        # a word of the command line in front of the first option, whatever the path is
        name = emulator.rpartition("/")[2]
        return (
            name
            if re.fullmatch(r"[A-Za-z0-9_.+][A-Za-z0-9_.+-]*", name)
            else f"qemu-system-{'i386' if i686 else 'x86_64'}"
        )

    def _accel(self) -> str:
        kind = self.domain.get("type", "kvm") if self.whole else "kvm"
        if kind not in ("kvm", "qemu"):
            raise BadInput(f"<domain type={kind!r:.60}> is not modelled: known are kvm and qemu")
        return {"kvm": "kvm", "qemu": "tcg"}[kind]

    def _smm(self) -> str | None:
        features = self._one("features")
        if features is None or features.find("smm") is None:
            return None
        return xml.attribute(features, "smm", "state", ("on", "off")) or "on"

    def _irqchip(self) -> str | None:
        """Return who emulates the interrupt controller; libvirt adds the split one where an IOMMU remaps interrupts."""
        features = self._one("features")
        driver = None if features is None else xml.attribute(features, "ioapic", "driver", ("qemu", "kvm"))
        remaps = any(
            xml.attribute(one, "driver", key) == "on"
            for one in self.elements
            for key in ("intremap", "eim")
            if one.tag == "iommu"
        )
        return {"qemu": "split", "kvm": "on"}.get(driver or "", "split" if remaps else None)

    def _machine_options(self, firmware: Firmware, smm: str | None) -> list[str]:
        smm = smm or ("on" if firmware.secure and "q35" in self.machine else None)
        options = [] if smm is None else [f"smm={smm}"]
        options += ["nvdimm=on"] if any(one.model == "nvdimm" for one in self.memory) else []
        options += [] if (irqchip := self._irqchip()) is None else [f"kernel_irqchip={irqchip}"]
        options += firmware.machine_options()
        return options + ([] if self.acpi else ["acpi=off"])

    def _cpu(self) -> list[str]:
        cpu = self._one("cpu")
        if not self.whole and cpu is None:
            return []
        # the default model is the emulator's, whatever the guest's architecture is
        return ["-cpu", cpu_option(cpu, default="qemu32" if self._program().endswith("i386") else "qemu64")]

    # -- sizes ----------------------------------------------------------------------------------------------------

    def _scaled(self, path: str) -> int | None:
        found = self._one(path)
        return None if found is None else xml.scaled(found.text, found.get("unit"), f"<{path}>")

    def _sizes(self) -> tuple[int, int | None, int]:
        """Return RAM, maximum memory (None if there is none) and DIMM slots; a cell is added as libvirt does."""
        added = sum(one.size for one in self.memory)
        initial = self._initial(added)
        maxmem, slots = self._maxmem(initial + added)
        if self.memory or maxmem is not None:
            self._check_hotplug(maxmem, slots, initial)
        if not self.cells and maxmem is not None and (self.whole or any(one.node for one in self.memory)):
            self._add_cell(initial)
        sizes = [round_up(one.size, CELL_GRANULE) for one in self.cells] or [round_up(initial, CELL_GRANULE)]
        for number, size in enumerate(sizes):
            if size > MOST_MEMORY:
                raise unsupported(
                    f"memory size of NUMA node '{number}' overflowed after alignment", "give it less than 8 EiB"
                )
        if maxmem is None:
            # memory devices need room
            more = sum(one.aligned for one in self.memory)
            return sum(sizes), sum(sizes) + more if self.memory else None, slots
        return sum(sizes), round_up(maxmem, CELL_GRANULE), slots

    def _initial(self, added: int) -> int:
        """Return the RAM in bytes, before it is rounded."""
        total = self._scaled("memory")
        if self.cells and (total or any(one.size for one in self.cells)):
            initial = sum(one.size for one in self.cells)
        elif total is not None:
            if total < added:
                raise xml_error(
                    "Total size of memory devices exceeds the total memory size",
                    f"<memory> counts RAM and devices together: it is {format_size(total)}, the devices have "
                    f"{format_size(added)}",
                )
            initial = total - added
        else:
            initial = 0 if self.whole else Scenario().ram
        if not initial:
            raise xml_error(
                "Memory size must be specified via <memory> or in the <numa> configuration",
                "<memory> must exceed the memory devices, or the cells have memory=",
            )
        return initial

    def _maxmem(self, total: int) -> tuple[int | None, int]:
        """Return the maximum memory (None if there is none) and DIMM slots, as given."""
        maximum, given = self._one("maxMemory"), self._scaled("maxMemory")
        slots = xml.unsigned(xml.attribute(maximum, ".", "slots") or "0", "<maxMemory slots=>")
        if not given:
            if slots:
                raise xml_error(
                    "maximum memory size must be specified when specifying number of memory slots",
                    "give <maxMemory> a size",
                )
            return None, sum(one.is_dimm for one in self.memory)
        if given < total:
            raise xml_error(
                "maximum memory size must be equal or greater than the actual memory size",
                f"<maxMemory> is {format_size(given)}: RAM and memory devices have {format_size(total)}",
            )
        return given, slots

    def _check_hotplug(self, maxmem: int | None, slots: int, initial: int) -> None:
        """Check what libvirt does of memory devices together (``qemuDomainDefValidateMemoryHotplug``)."""
        if maxmem is None:
            if self.whole:
                raise unsupported(
                    "cannot use/hotplug a memory device when domain 'maxMemory' is not defined",
                    "add <maxMemory>, at least <memory>",
                )
            return
        dimms = [one for one in self.memory if one.is_dimm]
        for one in self.memory:
            if one.slot is not None and one.slot >= slots:
                raise unsupported(
                    f"memory device slot '{one.slot}' exceeds slots count '{slots}'", "raise slots= of <maxMemory>"
                )
            if one.node is None and self.cells and one.model in ("dimm", "nvdimm", "virtio-mem"):
                raise unsupported(
                    "target NUMA node needs to be specified for memory device", "give <target> a <node>, such as 0"
                )
        if len(dimms) > slots:
            raise unsupported(
                f"count of memory devices requiring memory slots '{len(dimms)}' exceeds slots count '{slots}'",
                "raise slots= of <maxMemory>",
            )
        if sum(one.size for one in self.memory) > maxmem - initial:
            raise unsupported("memory device total size exceeds hotplug space", "raise <maxMemory>")

    def _add_cell(self, initial: int) -> None:
        """Add the one NUMA cell that memory hot-plug needs (``qemuDomainDefNumaAutoAdd``)."""
        count = 1 if self.whole else 1 + max(one.node or 0 for one in self.memory)
        self.cells = (Cell(initial), *(Cell(0) for _ in range(count - 1)))
        self.backing = Backing.of(self._one("memoryBacking"), self.cells, self._one("numatune"))

    # -- memory ---------------------------------------------------------------------------------------------------

    def _share_memory(self) -> None:
        """Check that vhost-user back ends can map RAM; a piece without a domain gets RAM that they can."""
        users = [one for one in self.elements if is_vhost_user(one)]
        if not users or self.backing.is_shared:
            return
        if not self.whole and self._one("memoryBacking") is None:
            self.backing = Backing(self.cells, source="memfd", access="shared")
            return
        kinds = {"filesystem": "virtiofs", "interface": "interface"}
        name = kinds.get(users[0].tag) or users[0].get("type", "")
        raise unsupported(
            f"'{name}' requires shared memory",
            "<memoryBacking> with <source type='memfd'/> and <access mode='shared'/> lets its back end map RAM",
        )

    def _ram(self, ram: int) -> list[str]:
        """Return the options for boot RAM; none where it is plain and there is no NUMA."""
        if not self.cells:
            props = self.backing.props("pc.ram", ram)
            plain = props == {"qom-type": "memory-backend-ram", "id": "pc.ram", "size": ram}
            return [] if plain else ["-object", json.dumps(props)]
        found = _VERSION.search(self.machine)
        old = found is not None and (int(found[1]), int(found[2])) <= NUMA_MEM_UNTIL
        hmat = self.domain.find("cpu/numa/interconnects") is not None or any(
            True for _ in self.domain.iterfind("cpu/numa/cell/cache")
        )
        plain = old and not hmat and all(self.backing.is_plain(node) for node in range(len(self.cells)))
        options: list[str] = []
        for number, cell in enumerate(self.cells):
            size, name = round_up(cell.size, CELL_GRANULE), f"ram-node{number}"
            node = f"node,nodeid={number}"
            if plain:
                options += ["-numa", f"{node},mem={size // MiB}"]
            elif size or self.whole:
                backend = self.backing.props(name, size, node=number)
                options += ["-object", json.dumps(backend), "-numa", f"{node},memdev={name}"]
            else:
                options += ["-numa", node]
        return options

    # -- devices --------------------------------------------------------------------------------------------------

    def _devices(self, tag: str) -> list[str]:
        """Return the options for all elements of one kind."""
        if tag == "memory":
            return self._memory_devices()
        if tag == "video":
            return self._displays()
        argv: list[str] = []
        elements = [one for one in self.elements if one.tag == tag]
        if tag == "hostdev":
            # network cards that are passed through are devices like these, and come first
            elements = [one for one in self.elements if _is_passed_nic(one)] + elements
        elif tag == "interface":
            elements = [one for one in elements if not _is_passed_nic(one)]
        for index, one in enumerate(elements):
            prefix, number = ALIAS_PREFIXES[tag], index if tag in COUNTED else None
            if tag == "disk":
                target = xml.attribute(one, "target", "dev") or ""
                number = disk_number(target)
                prefix = prefix if number is not None else f"{target[:2]}-disk"
            elif tag in ("vsock", "pstore", "iommu"):
                number = 0
            argv += self._device_options(one, self.aliases.take(one, prefix, number))
        return argv

    def _device_options(self, one: ET.Element, name: str) -> list[str]:
        backend: Props | None = None
        props: Props | None
        match one.tag:
            case "interface" if not _is_passed_nic(one):
                netdev = netdev_props(one, f"host{name}", kvm=self.accel == "kvm")
                card = nic_props(one, name)
                return ["-netdev", json.dumps(netdev), *([] if card is None else self._device(card))]
            case "interface":
                props = hostdev_props(one, name)
            case "hostdev":
                props = vhost_props(one, name) or hostdev_props(one, name)
            case "shmem":
                backend, props = shmem_props(one, name)
            case "pstore":
                backend, props = pstore_props(one, name)
            case "iommu":
                props = iommu_props(one, name)
            case _:
                props = vhost_props(one, name)
        options = [] if backend is None else ["-object", json.dumps(backend)]
        return options + ([] if props is None else self._device(props))

    def _displays(self) -> list[str]:
        argv: list[str] = []
        for index, one in enumerate(displays(self.elements)):
            props = display_props(one, self.aliases.take(one, ALIAS_PREFIXES["video"], index), primary=not index)
            if props is not None and props.get("blob") is True and self.backing.source != "memfd":
                raise unsupported(
                    "'blob' support for virtio-gpu devices requires a memfd memory backend",
                    "add <source type='memfd'/> to <memoryBacking>",
                )
            argv += [] if props is None else self._device(props)
        return argv

    def _memory_devices(self) -> list[str]:
        argv: list[str] = []
        slots = dimm_slots(self.memory)
        for index, one in enumerate(self.memory):
            slot = slots.get(index)
            name = self.aliases.take(one.element, ALIAS_PREFIXES[one.model], slot)
            backend = one.backend(self.backing, f"mem{name}")
            argv += ["-object", json.dumps(backend)]
            if one.model != "sgx-epc":
                argv += self._device(one.device(self.backing, name, f"mem{name}", slot))
        return argv

    # -- past libvirt ---------------------------------------------------------------------------------------------

    def _device(self, props: Props) -> list[str]:
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
        return ["-device", json.dumps(props)]

    def _passed_through(self) -> list[str]:
        """Return what ``<qemu:commandline>`` appends."""
        space = f"{{{xml.QEMU_NAMESPACE}}}"
        return [one.get("value", "") for one in self.domain.iter(f"{space}arg")]


def _is_passed_nic(element: ET.Element) -> bool:
    return element.tag == "interface" and element.get("type") == "hostdev"


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
