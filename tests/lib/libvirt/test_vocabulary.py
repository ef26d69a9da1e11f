"""Every name of libvirt's schema is read, known not to matter, or in a note."""

import pytest
from libvirt_domains import KUBEVIRT, ROOM, domain, virtio_mem

from workbook.lib import Machine
from workbook.lib.libvirt import vocabulary
from workbook.lib.libvirt.schema_names import ATTRIBUTES, DEVICES, TOP


def notes(text: str) -> list[tuple[str, str]]:
    return [(one.kind, str(one)) for one in Machine.from_libvirt(text).notes]


def test_every_element_of_a_domain_is_classified() -> None:
    """The elements below <domain> and <devices> are each on exactly one list."""
    top = [vocabulary.MODELLED, set(vocabulary.HARMLESS), set(vocabulary.NOT_MODELLED)]
    assert set().union(*top) == TOP
    assert sum(map(len, top)) == len(TOP)
    devices = [vocabulary.MODELLED_DEVICES, set(vocabulary.HARMLESS_DEVICES)]
    assert set().union(*devices) == DEVICES
    assert sum(map(len, devices)) == len(DEVICES)


def test_names_of_the_schema() -> None:
    """The names that a command made of the schema hold what the reader looks at."""
    assert {"dynamicMemslots"} <= ATTRIBUTES["target"]
    assert {"model", "access", "discard", "unit"} <= ATTRIBUTES["memory"]
    assert {"id", "cpus", "memory", "memAccess", "unit"} <= ATTRIBUTES["cell"]
    assert {"mode", "bits", "limit"} <= ATTRIBUTES["maxphysaddr"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (domain(virtio_mem(attributes=" dynamicMemslot='yes'"), head=ROOM), "<target> has no attribute dynamicMemslot"),
        (domain(head=ROOM + "<memorybacking/>"), "<domain> has no <memorybacking>"),
        (domain("<memory-device/>", head=ROOM), "<devices> has no <memory-device>"),
        (domain(head=ROOM + "<launchSecurity type='sev'/>"), "<launchSecurity>: a confidential guest's memory"),
        (domain(head=ROOM + "<cpu mode='host-model'/>"), "<cpu mode='host-model'>: libvirt names the CPU model"),
        (domain(head=ROOM + "<os firmware='efi'><type>hvm</type></os>"), "firmware descriptors choose"),
        (domain(head=ROOM + "<memoryBacking><hugepages/></memoryBacking>"), "default huge page has 2 MiB"),
        (domain("<interface type='network'/>", head=ROOM), "a network can also hand out a host device"),
        (domain(head=ROOM + "<memoryBacking><locked/></memoryBacking>"), "mem-lock"),
    ],
)
def test_what_is_open_is_noted(text: str, words: str) -> None:
    """Typing errors, what is assumed and what is not modelled are notes."""
    assert any(words in one for _kind, one in notes(text))


def test_metadata_is_not_looked_at() -> None:
    """Other namespaces and <metadata> are not libvirt's business, and no note."""
    before = notes(domain(head=ROOM))
    assert notes(domain(head=ROOM + "<metadata><a xmlns='urn:x'><b c='d'/></a><e/></metadata>")) == before


def test_many_typing_errors_are_counted() -> None:
    """More than twenty unknown names are counted, not listed."""
    found = notes(domain("".join(f"<thing{number}/>" for number in range(50)), head=ROOM))
    assert any("does not know 30 more names" in one for _kind, one in found)


def test_what_libvirt_puts_is_no_note() -> None:
    """An ordinary domain has notes about what was assumed only, not about libvirt's own options."""
    assert {kind for kind, _text in notes(KUBEVIRT)} <= {"assumed", "hint"}
