"""Write libvirt domain XML for a `Scenario`; `workbook.lib.libvirt.reader` reads it.

Sources: libvirt's "Domain XML format" (https://libvirt.org/formatdomain.html; ``<memory model='virtio-mem'>`` since
libvirt 7.9, ``dynamicMemslots`` since 10.1, user aliases ``ua-`` since 3.9, ``<maxphysaddr>`` since 8.7), its schema
(src/conf/schemas/domain.rng), and ``<qemu:override>`` and ``<qemu:commandline>`` for what has no element
(https://libvirt.org/drvqemu.html).

What is written is read again, and every difference from the scenario is named in a comment: nothing is lost silently.
"""

import re
from dataclasses import replace
from itertools import count
from typing import Final
from xml.etree import ElementTree as ET

from workbook.lib.boards.pc import pc_layout
from workbook.lib.errors import WorkbookError
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Dimm, Scenario, VfioDevice, VhostDevice
from workbook.lib.size import KiB

from .backing_choice import Piece, choose_backing
from .cpu import FEATURES
from .device_writer import NAME, VHOST_USER, DeviceWriter, memory_piece, size_element, text_element
from .differences import differences
from .xml import QEMU_NAMESPACE

__all__ = ("write_domain",)

_VENDORS: Final = {"intel": "GenuineIntel", "amd": "AuthenticAMD"}
_PHYS_BITS: Final = (40, 46, 48, 52)
_ARCHES: Final = {"x86_64": "x86_64", "i386": "i686"}
FLASH: Final = "cfi.pflash01"
SMALL_BIOS: Final = 128 * KiB
"""Bytes of SeaBIOS's small image, bios.bin."""


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
    domain, names = _domain(scenario, rules)
    notes = list(differences(scenario, names, ET.tostring(domain, encoding="unicode")))
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


def _domain(scenario: Scenario, rules: RuleSet | None) -> tuple[ET.Element, dict[int, str]]:
    """Return the ``<domain>`` and the ids of the devices by their position."""
    domain = ET.Element("domain", type="kvm" if scenario.accel == "kvm" else "qemu")
    text_element(domain, "name", NAME)
    added = [one for one in scenario.devices if not isinstance(one, VhostDevice | VfioDevice)]
    numa = bool(scenario.numa or added) or scenario.maxmem != scenario.ram
    if scenario.maxmem != scenario.ram or scenario.ram_slots or added:
        maximum = size_element(domain, "maxMemory", scenario.maxmem)
        if scenario.ram_slots:
            maximum.set("slots", str(scenario.ram_slots))
    owned = (scenario.backend(one.memdev or "") for one in added)
    size_element(domain, "memory", scenario.ram + sum(one.size for one in owned if one))
    cells = (
        _cells(scenario)
        if numa
        else [Piece(scenario.ram_backends[0][0], None, is_ram=True, prealloc=_ram_prealloc(scenario))]
    )
    devices = (memory_piece(scenario, one) for one in added)
    users = any(isinstance(one, VhostDevice) and one.driver in VHOST_USER for one in scenario.devices)
    backing = choose_backing([*cells, *(one for one in devices if one is not None)], vhost_user=users)
    element = backing.element()
    if len(element):
        domain.append(element)
    text_element(domain, "vcpu", str(max(1, scenario.numa_count)))
    _os(domain, scenario)
    _features(domain, scenario)
    cpu = _cpu(domain, scenario)
    if numa:
        group = ET.SubElement(cpu, "numa")
        for number, piece in enumerate(cells):
            size = -(-_cell_size(scenario, number) // KiB)
            cell = ET.SubElement(group, "cell", id=str(number), cpus=str(number), memory=str(size), unit="KiB")
            access = backing.own_access(piece)
            if access is not None:
                cell.set("memAccess", access)
    group = ET.SubElement(domain, "devices")
    if scenario.program not in ("", "x86_64"):
        text_element(group, "emulator", f"/usr/bin/qemu-system-{scenario.program}")
    writer = DeviceWriter(scenario, rules, backing, _dimm_slots(scenario), group)
    writer.write()
    _command_line(domain, scenario)
    _override(domain, writer.overrides)
    return domain, writer.names


def _ram_prealloc(scenario: Scenario) -> bool:
    backend = scenario.ram_backends[0][0]
    return backend is not None and backend.prealloc


def _cells(scenario: Scenario) -> list[Piece]:
    """Return the boot RAM by NUMA node; one node where none is named."""
    if not scenario.numa:
        return [Piece(scenario.ram_backends[0][0], 0, is_ram=True, prealloc=_ram_prealloc(scenario))]
    found = [scenario.backend(one.memdev or "") for one in scenario.numa]
    return [
        Piece(one, number, is_ram=True, prealloc=one is not None and one.prealloc) for number, one in enumerate(found)
    ]


def _cell_size(scenario: Scenario, number: int) -> int:
    if not scenario.numa:
        return scenario.ram
    node = scenario.numa[number]
    backend = scenario.backend(node.memdev or "")
    return backend.size if backend is not None else node.mem


def _dimm_slots(scenario: Scenario) -> dict[int, int]:
    """Give every DIMM its slot, as libvirt does: the first free one where none is asked for."""
    dimms = {index: one for index, one in enumerate(scenario.devices) if isinstance(one, Dimm)}
    slots = {index: one.slot for index, one in dimms.items() if one.slot >= 0}
    free = (number for number in count() if number not in slots.values())
    for index in dimms:
        if index not in slots:
            slots[index] = next(free)
    return slots


def _os(domain: ET.Element, scenario: Scenario) -> None:
    os = ET.SubElement(domain, "os")
    arch = _ARCHES.get(scenario.program, scenario.program)
    text_element(os, "type", "hvm", arch=arch, machine=_machine(scenario))
    flash = {one.id: one for one in scenario.fixtures if one.driver == FLASH}
    code = flash.get("pflash0")
    if code is None:
        if scenario.firmware_size == SMALL_BIOS:
            text_element(os, "loader", "/usr/share/seabios/bios.bin", type="rom")
        return
    loader = text_element(os, "loader", _path(code.prop("file"), "/usr/share/OVMF/OVMF_CODE_4M.fd"), type="pflash")
    if "pflash1" in flash:
        loader.set("readonly", "yes")
        text_element(os, "nvram", _path(flash["pflash1"].prop("file"), f"/var/lib/libvirt/qemu/nvram/{NAME}_VARS.fd"))


def _path(given: str | None, default: str) -> str:
    return given if given is not None and given.startswith("/") and given.isprintable() else default


def _machine(scenario: Scenario) -> str:
    version = scenario.machine_version
    prefix = {"q35": "pc-q35", "pc": "pc-i440fx"}.get(scenario.chipset, scenario.chipset)
    return f"{prefix}-{version[0]}.{version[1]}" if version else scenario.chipset


def _features(domain: ET.Element, scenario: Scenario) -> None:
    features = ET.SubElement(domain, "features")
    if scenario.acpi:
        ET.SubElement(features, "acpi")
    # QEMU has it by default under TCG, and KVM's second address space only where it is asked for
    if scenario.smm != (scenario.accel == "tcg"):
        ET.SubElement(features, "smm", state="on" if scenario.smm else "off")
    if not len(features):
        domain.remove(features)


def _cpu(domain: ET.Element, scenario: Scenario) -> ET.Element:
    """Write ``<cpu>``: the model by name where there is one, else one that comes to the same."""
    given, vendor, bits = scenario.cpu, scenario.cpu_vendor, scenario.phys_bits
    modes = {"host": "host-passthrough", "max": "maximum"}
    if given is not None:
        mode = modes.get(given.model)
        cpu = ET.SubElement(domain, "cpu", mode=mode) if mode else _custom(domain, given.model, given.vendor)
        for name in FEATURES:
            policy = _policy(given.features, name)
            if policy is not None:
                ET.SubElement(cpu, "feature", policy=policy, name=name)
        if given.host_phys_bits:
            limit = {"limit": str(given.host_phys_bits_limit)} if given.host_phys_bits_limit else {}
            ET.SubElement(cpu, "maxphysaddr", {"mode": "passthrough", **limit})
        elif given.phys_bits or given.host_phys_bits is not None:
            known = {"bits": str(given.phys_bits)} if given.phys_bits else {}
            ET.SubElement(cpu, "maxphysaddr", {"mode": "emulate", **known})
        return cpu
    if scenario.accel == "kvm" and vendor is None and bits is None:
        return ET.SubElement(domain, "cpu", mode="host-passthrough")
    # under TCG nothing is the host's: what is not known must not move or refuse anything
    if vendor is None and scenario.accel != "kvm":
        vendor = "intel"
    cpu = _custom(domain, "qemu64", _VENDORS[vendor] if vendor else None)
    ET.SubElement(cpu, "maxphysaddr", mode="emulate", bits=str(bits or _enough_phys_bits(scenario)))
    return cpu


def _policy(features: tuple[str, ...], name: str) -> str | None:
    """Return the policy of a CPU feature that was given, in any of QEMU's spellings; the last one counts."""
    spellings = {f"+{name}": "require", f"-{name}": "disable"}
    spellings |= {f"{name}={value}": "require" for value in ("on", "yes", "true", "y")}
    spellings |= {f"{name}={value}": "disable" for value in ("off", "no", "false", "n")}
    return next((spellings[one] for one in reversed(features) if one in spellings), None)


def _custom(domain: ET.Element, model: str, vendor: str | None) -> ET.Element:
    cpu = ET.SubElement(domain, "cpu", mode="custom", match="exact", check="none")
    # the schema takes twelve characters without commas
    known = {"vendor_id": vendor} if vendor and re.fullmatch(r"[^,]{12}", vendor) else {}
    name = model if model.isprintable() else "qemu64"
    text_element(cpu, "model", name, fallback="allow", **known)
    return cpu


def _enough_phys_bits(scenario: Scenario) -> int:
    for bits in _PHYS_BITS[:-1]:
        try:
            pc_layout(replace(scenario, phys_bits=bits))
        except WorkbookError:
            continue
        return bits
    return _PHYS_BITS[-1]


def _command_line(domain: ET.Element, scenario: Scenario) -> None:
    """Pass through what libvirt has no element for."""
    if scenario.max_ram_below_4g is None:
        return
    group = ET.SubElement(domain, f"{{{QEMU_NAMESPACE}}}commandline")
    for value in ("-machine", f"max-ram-below-4g={scenario.max_ram_below_4g}"):
        ET.SubElement(group, f"{{{QEMU_NAMESPACE}}}arg", value=value)


def _override(domain: ET.Element, overrides: dict[str, dict[str, str | int | bool]]) -> None:
    if not overrides:
        return
    group = ET.SubElement(domain, f"{{{QEMU_NAMESPACE}}}override")
    for alias, found in overrides.items():
        device = ET.SubElement(group, f"{{{QEMU_NAMESPACE}}}device", alias=alias)
        frontend = ET.SubElement(device, f"{{{QEMU_NAMESPACE}}}frontend")
        for key, value in found.items():
            kind = "bool" if isinstance(value, bool) else "unsigned" if isinstance(value, int) else "string"
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            ET.SubElement(frontend, f"{{{QEMU_NAMESPACE}}}property", name=key, type=kind, value=shown)
