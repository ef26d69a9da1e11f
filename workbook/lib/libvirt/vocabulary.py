"""Every element and attribute of domain XML: read, known not to matter, or named in a note.

The names are those of libvirt's schema (`workbook.lib.libvirt.schema_names`). What the schema does not know libvirt
passes over, unless it validates; a typing error is then lost in silence, which a note prevents.
"""

from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

from workbook.lib.notes import Note

from .schema_names import ATTRIBUTES

__all__ = ("HARMLESS", "HARMLESS_DEVICES", "MODELLED", "MODELLED_DEVICES", "NOT_MODELLED", "domain_notes")

MOST_NOTES: Final = 20
"""Unknown names that are named one by one."""

MODELLED: Final = frozenset(
    "name memory maxMemory memoryBacking numatune os features cpu devices commandline override vcpu".split()
)
"""Elements below ``<domain>`` that are read."""
HARMLESS: Final = {
    **dict.fromkeys("uuid genid title description metadata namespace deprecation capabilities".split(), "names"),
    **dict.fromkeys("vcpus iothreads iothreadids defaultiothread cputune perf".split(), "processors and threads"),
    **dict.fromkeys(("currentMemory", "memtune"), "the balloon's target, and limits of the QEMU process on the host"),
    **dict.fromkeys("blkiotune throttlegroups resource idmap seclabel keywrap".split(), "confinement on the host"),
    **dict.fromkeys("clock pm on_poweroff on_reboot on_crash on_lockfailure".split(), "clocks and the life cycle"),
    "sysinfo": "tables that the firmware shows the guest",
    **dict.fromkeys("bootloader bootloader_args machine emulator datacenterpath".split(), "other hypervisors"),
}
"""Elements below ``<domain>`` that change no number of the model, and what they are about."""
NOT_MODELLED: Final = {
    "launchSecurity": "a confidential guest's memory is pinned, so that unplugged memory cannot be given back",
}
"""Elements below ``<domain>`` that may change a number."""
MODELLED_DEVICES: Final = frozenset(
    "memory disk filesystem interface video graphics hostdev vsock shmem pstore iommu controller emulator".split()
)
HARMLESS_DEVICES: Final = {
    **dict.fromkeys("serial parallel console channel smartcard redirdev redirfilter hub".split(), "channels"),
    **dict.fromkeys("input sound audio".split(), "input and sound"),
    **dict.fromkeys("memballoon rng watchdog panic tpm crypto nvram".split(), "take no memslot"),
    "lease": "locks on the host",
}
"""Devices that take no memslot."""


def domain_notes(domain: ET.Element, *, whole: bool) -> Iterator[Note]:
    """Yield notes about what is in a domain and not in the model, or was assumed for it.

    Parameters
    ----------
    whole
        False: a piece of a domain.
    """
    yield from _unknown(domain)
    for one in domain if whole else ():
        if one.tag in NOT_MODELLED:
            yield Note("not modelled", NOT_MODELLED[one.tag], f"<{one.tag}>")
    yield from _assumed(domain)


def _unknown(domain: ET.Element) -> Iterator[Note]:
    found: dict[tuple[str, str], str] = {}
    foreign = {id(inner) for one in domain.iter("metadata") for inner in one.iter() if inner is not one}
    for parent in domain.iter():
        for one in parent:
            if id(one) in foreign or _is_foreign(one.tag):
                continue
            if one.tag not in ATTRIBUTES:
                found.setdefault((one.tag, ""), f"<{parent.tag}> has no <{one.tag:.60}>")
                continue
            for name in one.attrib:
                known = ATTRIBUTES[one.tag]
                if name not in known and not _is_foreign(name):
                    found.setdefault((one.tag, name), f"<{one.tag}> has no attribute {name:.60}")
    texts = list(found.values())
    for text in texts[:MOST_NOTES]:
        yield Note("not modelled", f"libvirt's schema knows no such thing, and libvirt passes over it: {text}")
    if len(texts) > MOST_NOTES:
        yield Note("not modelled", f"libvirt's schema does not know {len(texts) - MOST_NOTES} more names")


def _is_foreign(name: str) -> bool:
    """Whether a name is of another namespace: QEMU's is read, others are metadata."""
    return name.startswith("{")


def _assumed(domain: ET.Element) -> Iterator[Note]:
    for one in domain.iter("cpu"):
        if one.get("mode") == "host-model" and one.find("maxphysaddr") is None:
            text = "libvirt names the CPU model nearest to the host's: it has 40 address bits where none are given"
            yield Note("assumed", text, "<cpu mode='host-model'>")
    for one in domain.iter("os"):
        if one.get("firmware") == "efi" and one.find("loader") is None:
            yield Note(
                "assumed", "the host's firmware descriptors choose: taken is a build of OVMF", "<os firmware='efi'>"
            )
    for one in domain.iter("interface"):
        if one.get("type") == "network":
            yield Note(
                "assumed", "a tap device: a network can also hand out a host device", "<interface type='network'>"
            )
            break
    for one in domain.iter("hugepages"):
        if one.find("page") is None:
            yield Note("assumed", "the host's default huge page has 2 MiB", "<hugepages>")
    for one in domain.iter("disk"):
        if one.get("type") == "vhostvdpa":
            yield Note("not modelled", "libblkio's own memory regions", "<disk type='vhostvdpa'>")
