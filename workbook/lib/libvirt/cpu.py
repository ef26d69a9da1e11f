"""``<cpu>``: which CPU model QEMU gets, and how many physical address bits.

Source: src/qemu/qemu_command.c (``qemuBuildCpuModelArgStr``, ``qemuBuildCpuCommandLine``), src/conf/cpu_conf.c and
src/qemu/qemu_validate.c (``qemuValidateDomainDefCpu``), libvirt 11.3. Of the CPU features those are passed
on that the model looks at.
"""

from typing import Final
from xml.etree import ElementTree as ET

from workbook.lib.errors import BadInput

from . import xml
from .refusals import unsupported

__all__ = ("FEATURES", "HOST_MODEL", "cpu_option")

FEATURES: Final = ("lm", "apic")
"""Long mode decides the address bits, the APIC whether KVM has an option ROM for it."""
MODES: Final = ("custom", "host-model", "host-passthrough", "maximum")
HOST_MODEL: Final = "qemu64"
"""Stands for what libvirt makes of ``host-model``: a named model, that is 40 address bits; under KVM the vendor is the
host's with every model."""


def cpu_option(cpu: ET.Element | None, *, default: str = "qemu64") -> str:
    """Return the value of ``-cpu``; `default` is the model where none is named.

    Raises
    ------
    Refusal
        libvirt does not take it.
    BadInput
        A number that cannot be read, or a name that is none.
    """
    mode = xml.attribute(cpu, ".", "mode", MODES) or "custom"
    names = {"host-model": HOST_MODEL, "host-passthrough": "host", "maximum": "max"}
    named = xml.text_of(cpu, "model") if mode == "custom" else None
    if named and xml.attribute(cpu, ".", "match", ("minimum", "exact", "strict")) == "minimum":
        # the host's model with what it has beyond the named one
        named = HOST_MODEL
    vendor = xml.attribute(cpu, "model", "vendor_id") if named else None
    words = [names.get(mode) or named or default, *([f"vendor={vendor}"] if vendor else []), *_features(cpu)]
    words += _address_bits(cpu)
    if any("," in one for one in words):
        raise BadInput(f"<cpu> names {words[0]!r:.60} {vendor or ''}: no CPU model or vendor has a comma")
    return ",".join(words)


def _features(cpu: ET.Element | None) -> list[str]:
    found = {one.get("name"): one.get("policy", "require") for one in xml.children(cpu, "feature")}
    switch = {"force": "on", "require": "on", "disable": "off", "forbid": "off"}
    return [f"{name}={switch[found[name]]}" for name in FEATURES if found.get(name) in switch]


def _address_bits(cpu: ET.Element | None) -> list[str]:
    mode = xml.attribute(cpu, "maxphysaddr", "mode", ("emulate", "passthrough"))
    if mode is None:
        return []
    given, limit = xml.attribute(cpu, "maxphysaddr", "bits"), xml.attribute(cpu, "maxphysaddr", "limit")
    bits = None if given is None else xml.unsigned(given, "<maxphysaddr bits=>")
    most = None if limit is None else xml.unsigned(limit, "<maxphysaddr limit=>")
    if mode == "emulate":
        if most is not None:
            raise unsupported(
                "attribute 'limit' is only supported for maxphysaddr mode 'passthrough'",
                "write bits= for mode='emulate'",
            )
        return [f"phys-bits={bits}" if bits else "host-phys-bits=off"]
    if bits is not None:
        raise unsupported(
            "CPU maximum physical address bits number specification cannot be used with mode='passthrough'",
            "write limit=, or mode='emulate'",
        )
    return ["host-phys-bits=on", *([f"host-phys-bits-limit={most}"] if most else [])]
