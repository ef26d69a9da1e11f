"""What libvirt refuses, in its words, and what cannot be read."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import assume, example, given, strategies as st
from libvirt_domains import KUBEVIRT, ROOM, domain, virtio_mem

from workbook.lib.errors import BadInput, Refusal, WorkbookError
from workbook.lib.libvirt.reader import read_domain
from workbook.lib.libvirt.writer import write_domain
from workbook.lib.scenario import MemoryBackend, Pmem, Scenario, VhostDevice
from workbook.lib.size import GiB

# -- what is wrong ----------------------------------------------------------------------------------------------------

BILLION = "<!DOCTYPE d [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><domain><memory>&b;</memory></domain>"


UNREADABLE = [
    (BILLION, "the domain XML has a <!DOCTYPE>: libvirt's has none"),
    ("<!ENTITY a 'b'><domain/>", "has a <!ENTITY>"),
    ("<a>" * 100 + "</a>" * 100, "nested deeper than 64 elements at <a>"),
    ("<a>" * 100_000, "nested deeper than 64"),
    ("x" * (5 << 20), "characters: at most 4194304 are read"),
    ("\ud800", "lone surrogate"),
    ("<domain>\n<memory></domain>", "not well-formed: mismatched tag in line 2"),
    ("<domain>&b;</domain>", "not well-formed: undefined entity"),
    ("", "there is no XML element"),
    ("hello", "there is no XML element"),
    ("<domain type='xen'><memory>1</memory></domain>", "<domain type='xen'> is not modelled: known are kvm and qemu"),
    ("<domain><memory unit='GiB'>x</memory></domain>", "<memory>: 'x' is not a whole number"),
    ("<domain><memory unit='GiB'>1.5</memory></domain>", "<memory>: '1.5' is not a whole number"),
    ("<domain><memory unit='parsec'>1</memory></domain>", "<memory>: unit 'parsec' is not libvirt's: use b, KB"),
    ("<domain><memory unit='EiB'>16</memory></domain>", "<memory>: 16 EiB is too large"),
    (virtio_mem("<size unit='GiB'>four</size>"), "<memory model='virtio-mem'> <size>: 'four' is not a whole number"),
    ("<vsock/><vsock/>", "<vsock> is there twice"),
    (
        virtio_mem("<size unit='GiB'>4</size><address base='here'/>"),
        "<address base=>: 'here' is not a hexadecimal number",
    ),
    ("<os><type arch='sparc' machine='sun'>hvm</type></os>" + virtio_mem(), "<type arch='sparc'> is not modelled"),
    ("<os><type machine='q35,smm=on'>hvm</type></os>" + virtio_mem(), "is no machine type"),
    ("<cpu mode='custom'><model>a,b</model></cpu>" + virtio_mem(), "no CPU model or vendor has a comma"),
    (
        "<memoryBacking><hugepages><page size='2048' nodeset='x'/></hugepages></memoryBacking>" + virtio_mem(),
        "nodeset 'x': 'x' is not a whole number",
    ),
]


def _id(value: str) -> str:
    return re.sub(r"\W+", "-", value)[:40].encode("ascii", "replace").decode()


@pytest.mark.parametrize(("text", "words"), UNREADABLE, ids=_id)
def test_errors_name_the_element(text: str, words: str) -> None:
    """What cannot be read is one line that names the element, its value and what is allowed."""
    with pytest.raises(BadInput) as caught:
        read_domain(text)
    line = str(caught.value)
    assert words in line
    assert "\n" not in line


def cells(*sizes: int, more: str = "") -> str:
    return "".join(f"<cell id='{node}' memory='{size}' unit='MiB'{more}/>" for node, size in enumerate(sizes))


def dimm(more: str = "", address: str = "") -> str:
    return f"<memory model='dimm'><target><size unit='GiB'>1</size>{more}</target>{address}</memory>"


def hugepages(pages: str, more: str = "") -> str:
    return f"<memory unit='GiB'>4</memory><memoryBacking><hugepages>{pages}</hugepages>{more}</memoryBacking>"


NODE = "<node>0</node>"
GIB = "<memory unit='GiB'>1</memory>"
PATH = "<source><path>/dev/dax0.0</path></source>"
NVDIMM = "<memory model='nvdimm'{}>{}<target><size unit='MiB'>512</size>{}</target></memory>"
VIRTIOFS = "<filesystem type='mount'><driver type='virtiofs'/><source dir='/srv'/><target dir='tag'/></filesystem>"

REFUSED = [
    ("<domain/>", "XML error: Memory size must be specified via <memory> or in the <numa> configuration"),
    (
        "<domain><memory>0</memory></domain>",
        "XML error: Memory size must be specified via <memory> or in the <numa> configuration",
    ),
    (
        domain(virtio_mem(), head=GIB),
        "XML error: Total size of memory devices exceeds the total memory size",
    ),
    (
        domain(virtio_mem(), head="<memory unit='GiB'>8</memory>"),
        "unsupported configuration: cannot use/hotplug a memory device when domain 'maxMemory' is not defined",
    ),
    (
        domain(virtio_mem(), head="<memory unit='GiB'>8</memory><maxMemory unit='GiB'>7</maxMemory>"),
        "XML error: maximum memory size must be equal or greater than the actual memory size",
    ),
    (
        domain(head=GIB + "<maxMemory slots='2'>0</maxMemory>"),
        "XML error: maximum memory size must be specified when specifying number of memory slots",
    ),
    (domain(virtio_mem("<node>0</node>"), head=ROOM), "XML error: missing element or attribute './size'"),
    ("<memory model='dimm'/>", "XML error: missing <target> element for <memory> device"),
    (
        "<memory model='sdram'/>",
        "XML error: Invalid value for attribute 'model' in element 'memory': 'sdram'.",
    ),
    (virtio_mem("<size unit='GiB'>4</size><block unit='MiB'>3</block>"), "block size must be a power of two"),
    (virtio_mem("<size unit='GiB'>4</size><block>0</block>"), "block size must be a power of two"),
    (
        virtio_mem("<size unit='GiB'>4</size><block unit='MiB'>1</block>"),
        "block size too small, must be at least 2048KiB",
    ),
    (
        virtio_mem("<size unit='GiB'>4</size><address base='0x100100000'/>"),
        "memory device address must be aligned to blocksize",
    ),
    (
        virtio_mem("<size unit='GiB'>4</size><requested unit='GiB'>5</requested>"),
        "requested size must be smaller than or equal to @size (4194304KiB)",
    ),
    (
        virtio_mem("<size unit='GiB'>4</size><requested unit='MiB'>3</requested>"),
        "requested size must be an integer multiple of block size",
    ),
    (
        virtio_mem(attributes=" dynamicMemslots='on'"),
        "XML error: Invalid value for attribute 'dynamicMemslots' in element 'target': 'on'. Expected 'yes' or 'no'",
    ),
    (
        domain(virtio_mem("<size unit='GiB'>4</size><node>1</node>"), head=ROOM, cells=cells(4096)),
        "can't add memory backend for guest node '1' as the guest has only '1' NUMA nodes configured",
    ),
    (
        domain(virtio_mem("<size unit='GiB'>4</size><node>-1</node>"), head=ROOM, cells=cells(4096)),
        "XML error: invalid value of memory device node",
    ),
    (
        domain(virtio_mem(), head=ROOM, cells=cells(4096)),
        "unsupported configuration: target NUMA node needs to be specified for memory device",
    ),
    (
        domain(dimm(NODE) * 3, head=ROOM, cells=cells(4096)),
        "unsupported configuration: count of memory devices requiring memory slots '3' exceeds slots count '2'",
    ),
    (
        domain(dimm(NODE, "<address type='dimm' slot='2'/>"), head=ROOM, cells=cells(4096)),
        "unsupported configuration: memory device slot '2' exceeds slots count '2'",
    ),
    (
        domain(dimm(NODE, "<address type='dimm' slot='1'/>") * 2, head=ROOM, cells=cells(4096)),
        "unsupported configuration: memory device slot '1' is already being used by another memory device",
    ),
    (
        domain(dimm(NODE, "<address type='pci' slot='1'/>"), head=ROOM, cells=cells(4096)),
        "unsupported configuration: only 'dimm' addresses are supported for the pc-dimm device",
    ),
    (
        domain(
            dimm(NODE, "<address type='dimm' slot='0' base='0x140000000'/>")
            + virtio_mem("<size unit='GiB'>4</size><node>0</node><address base='0x160000000'/>"),
            head=ROOM,
            cells=cells(4096),
        ),
        (
            "unsupported configuration: memory device address [0x140000000:0x180000000] overlaps with other "
            "memory device (0x160000000)"
        ),
    ),
    (
        virtio_mem(more="<alias name='ua-x'/>") + virtio_mem(more="<alias name='ua-x'/>"),
        "unsupported configuration: non unique alias detected: ua-x",
    ),
    (NVDIMM.format("", "", NODE), "path is required for model 'nvdimm'"),
    (
        NVDIMM.format(" discard='yes'", PATH, NODE),
        "unsupported configuration: discard is not supported for nvdimms",
    ),
    (
        NVDIMM.format("", PATH, "<label><size unit='KiB'>64</size></label>"),
        "XML error: nvdimm label must be at least 128KiB",
    ),
    (
        NVDIMM.format("", PATH, "<label><size unit='GiB'>1</size></label>"),
        "XML error: label size must be smaller than NVDIMM size",
    ),
    (
        NVDIMM.format("", "<uuid>49545eb3-75e1-2d0a-acdd-f0294406c99e</uuid>" + PATH, ""),
        "unsupported configuration: UUID is not supported for NVDIMM device",
    ),
    (
        "<memory model='virtio-pmem'><target><size>4096</size></target></memory>",
        "path is required for model 'virtio-pmem'",
    ),
    (
        f"<memory model='virtio-pmem'>{PATH}<target><size>4096</size></target></memory>",
        "unsupported configuration: shared access mode required for virtio-pmem device",
    ),
    (
        f"<memory model='virtio-pmem' access='shared'>{PATH}<target><size>4096</size>{NODE}</target></memory>",
        "unsupported configuration: virtio-pmem does not support NUMA nodes",
    ),
    (
        "<memoryBacking><source type='floppy'/></memoryBacking>" + virtio_mem(),
        "unsupported configuration: unknown memoryBacking/source/type 'floppy'",
    ),
    (domain(head=hugepages("<page size='2048' nodeset='1'/>")), "hugepages: node 1 not found"),
    (
        domain(head=hugepages("<page size='2048' nodeset='0,4'/>"), cells=cells(1024, 1024)),
        "hugepages: node 4 not found",
    ),
    (
        domain(head=hugepages("<page size='2048'/><page size='1048576'/>")),
        "two master hugepages detected: 1048576 and 2048",
    ),
    (
        domain(
            head=hugepages("<page size='2048' nodeset='0'/><page size='1048576' nodeset='0-1'/>"),
            cells=cells(1024, 1024),
        ),
        "nodeset attribute of hugepages of sizes 1048576 and 2048 intersect",
    ),
    (domain(head=hugepages("<page size='0'/>")), "hugepage size can't be zero"),
    (
        domain(head=hugepages("<page size='5' unit='MiB'/>")),
        "internal error: Unable to find any usable hugetlbfs mount for 5120 KiB",
    ),
    (
        domain(head=hugepages("", "<allocation mode='ondemand'/>")),
        "unsupported configuration: hugepages are not allowed with memory allocation ondemand",
    ),
    (
        domain(head=hugepages("", "<source type='anonymous'/>")),
        "unsupported configuration: hugepages are not allowed with anonymous memory source",
    ),
    (
        domain(head=GIB, cells=cells(512, 512, more=" memAccess='sometimes'")),
        "XML error: Invalid value for attribute 'memAccess' in element 'cell': 'sometimes'.",
    ),
    (
        domain(head=GIB, cells="<cell id='1' memory='512'/>"),
        (
            "XML error: Exactly one 'cell' element per guest NUMA cell allowed, non-contiguous ranges or ranges not "
            "starting from 0 are not allowed"
        ),
    ),
    (
        domain(head=GIB, cells="<cell id='0' memory='512'/><cell id='0' memory='512'/>"),
        "XML error: Duplicate NUMA cell info for cell id '0'",
    ),
    (
        domain(head=GIB, cells="<cell cpus='0-1' memory='512'/><cell cpus='1' memory='512'/>"),
        "unsupported configuration: NUMA cells 1 and 0 have overlapping vCPU ids",
    ),
    (domain(head=GIB, cells="<cell cpus='0-1'/>"), "XML error: missing element or attribute './@memory'"),
    (
        domain(head=GIB, cells="<cell memory='9007199254740991' unit='KiB'/>"),
        "unsupported configuration: memory size of NUMA node '0' overflowed after alignment",
    ),
    (
        domain(head=GIB, cells="<cell memory='1024'><distances><sibling id='1' value='20'/></distances></cell>"),
        "XML error: 'sibling_id 1' does not refer to a valid cell within NUMA 'cell id 0'",
    ),
    (
        domain(head=GIB, cells="<cell memory='1024'><distances><sibling id='0' value='20'/></distances></cell>"),
        "XML error: 'value 20' is invalid for 'sibling id 0' under NUMA 'cell id 0'",
    ),
    (
        "<cpu mode='host-passthrough'><maxphysaddr mode='passthrough' bits='42'/></cpu>" + virtio_mem(),
        (
            "unsupported configuration: CPU maximum physical address bits number specification cannot be used with "
            "mode='passthrough'"
        ),
    ),
    (
        "<cpu mode='host-passthrough'><maxphysaddr mode='emulate' limit='42'/></cpu>" + virtio_mem(),
        "unsupported configuration: attribute 'limit' is only supported for maxphysaddr mode 'passthrough'",
    ),
    (domain(VIRTIOFS, head=GIB), "unsupported configuration: 'virtiofs' requires shared memory"),
    (
        domain("<interface type='vhostuser'><model type='virtio'/></interface>", head=GIB),
        "unsupported configuration: 'interface' requires shared memory",
    ),
    (
        domain("<disk type='vhostuser'><target dev='vda' bus='virtio'/></disk>", head=GIB),
        "unsupported configuration: 'vhostuser' requires shared memory",
    ),
    (
        domain(
            VIRTIOFS,
            head=GIB + "<memoryBacking><access mode='shared'/></memoryBacking>",
            cells="<cell memory='1048576' memAccess='private'/>",
        ),
        "unsupported configuration: 'virtiofs' requires shared memory",
    ),
    (
        domain("<shmem name='a'><size unit='KiB'>1</size></shmem>", head=GIB),
        "XML error: shmem size must be a power of 2 and at least 1 MiB (1024 KiB)",
    ),
    (
        domain("<shmem name='a'><msi/></shmem>", head=GIB),
        "XML error: msi option is only supported with a server",
    ),
    (
        domain("<video><model type='vga'/></video>" * 2, head=GIB),
        "unsupported configuration: video type 'vga' is only valid as primary video device",
    ),
    (
        domain(head=GIB + "<vcpu>2</vcpu>", cells="<cell cpus='0-3' memory='1024'/>"),
        "internal error: Number of CPUs in <numa> exceeds the <vcpu> count",
    ),
    (
        domain(head=GIB + "<vcpu>2</vcpu>", cells="<cell cpus='0,2' memory='1024'/>"),
        "internal error: CPU IDs in <numa> exceed the <vcpu> count",
    ),
    (
        domain(head=GIB + "<os><loader type='pflash' secure='yes'>/a</loader><type machine='q35'>hvm</type></os>"),
        "unsupported configuration: Secure boot requires SMM feature enabled",
    ),
    (
        domain(head=GIB + "<os><loader type='pflash' secure='yes'>/a</loader><type machine='pc'>hvm</type></os>"),
        "unsupported configuration: Secure boot is supported with q35 machine types only",
    ),
    (
        f"<domain>{GIB}<os firmware='efi'><type>hvm</type></os></domain>",
        "unsupported configuration: UEFI requires ACPI on this architecture",
    ),
]


@pytest.mark.parametrize(("text", "words"), REFUSED, ids=_id)
def test_libvirt_refuses_in_its_words(text: str, words: str) -> None:
    """What libvirt refuses before any QEMU starts has libvirt's text, says who, and what to do."""
    with pytest.raises(Refusal) as caught:
        read_domain(text)
    assert caught.value.message == words
    assert caught.value.who == "libvirt"
    assert caught.value.advice
    assert "\n" not in caught.value.advice


def test_unknown_vhost_slots_are_named() -> None:
    """A limit for a device that is not there is an error, not silence."""
    with pytest.raises(
        BadInput, match=r"vhost_slots names 'vu0', but the domain's vhost devices are: hostua-default, ua"
    ):
        read_domain(KUBEVIRT, vhost_slots={"vu0": 64})


def test_hostile_names_stay_in_their_place() -> None:
    """Names that are no XML and no comment come out harmless."""
    names = ("--><evil/>", "a--b-", "\x00\ud800", "x" * 300, "&<>\"'")
    for name in names:
        backend = MemoryBackend(id=name, size=GiB, kind="file", mem_path=name)
        devices = (Pmem(id=name, memdev=name), VhostDevice(id=name, driver=name), VhostDevice(id=name))
        scenario = Scenario(ram=GiB, maxmem=8 * GiB, backends=(backend,), devices=devices)
        root = ET.fromstring(write_domain(scenario))
        assert root.find(".//evil") is None
        read_domain(write_domain(scenario))


# -- any text ---------------------------------------------------------------------------------------------------------

_TAGS = "domain memory maxMemory target size node block requested address alias source pagesize path cpu numa cell os "
_TAGS += "type devices memoryBacking hugepages page access allocation filesystem driver interface model disk video "
_TAGS += "vsock hostdev features smm maxphysaddr qemu:override qemu:device qemu:frontend qemu:property qemu:arg"
_NAMES = "model unit type name base slot slots mode memAccess dynamicMemslots id memory nodeset size dev machine arch "
_NAMES += "alias value bits vendor_id access primary protocol"
_VALUES = (
    "virtio-mem dimm virtio-pmem kvm qemu memfd file shared private yes no on 0 1 -1 2048 4194304 0x140000000 KiB "
)
_VALUES += "GiB EB b 0-3,^1 1-1023 dimm ua-x virtiomem0 virtiofs vhostuser bridge virtio vda vdzzzzz q35 pc-q35-8.2 "
_VALUES += "emulate host-passthrough remove unsigned bool -m -device virtio-mem-pci,memdev=x vhost ² é \U0001f600 a,b"
_values = st.one_of(st.sampled_from(_VALUES.split()), st.text(max_size=6), st.integers().map(str))


def _element(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def show(tag: str, attributes: dict[str, str], body: list[str]) -> str:
        shown = "".join(f" {key}='{_escape(value)}'" for key, value in attributes.items())
        return f"<{tag}{shown}>{''.join(body)}</{tag}>"

    attributes = st.dictionaries(st.sampled_from(_NAMES.split()), _values, max_size=4)
    return st.builds(show, st.sampled_from(_TAGS.split()), attributes, st.lists(inner, max_size=5))


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&apos;")


xml_texts = st.recursive(_values.map(_escape), _element, max_leaves=20)


@given(st.one_of(st.text(max_size=80), xml_texts, st.lists(xml_texts, max_size=4).map("".join)))
@example("<domain xmlns='x'/>")
@example("]]>")
@example("</fragment><fragment>")
@example("<?xml version='1.0' encoding='utf-16'?><domain/>")
def test_any_text_is_answered(text: str) -> None:
    """Any text is a scenario, which can be written, or an error of the library."""
    try:
        scenario = read_domain(text)
    except WorkbookError:
        pass
    else:
        assert read_domain(write_domain(scenario)) is not None


@given(st.data())
def test_damaged_domains_are_answered(data: st.DataObject) -> None:
    """A domain with a piece cut out, doubled or replaced is read or refused in the library's words."""
    start = data.draw(st.integers(0, len(KUBEVIRT)))
    end = data.draw(st.integers(start, min(len(KUBEVIRT), start + 60)))
    piece = data.draw(st.one_of(st.just(""), _values, st.just(KUBEVIRT[start:end] * 2)))
    text = KUBEVIRT[:start] + piece + KUBEVIRT[end:]
    assume(text != KUBEVIRT)
    try:
        scenario = read_domain(text)
    except WorkbookError:
        return
    assert scenario.ram > 0
