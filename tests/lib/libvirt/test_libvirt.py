"""libvirt domain XML against libvirt's own command lines, against scenarios, against a real QEMU, and any text."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import assume, example, given, strategies as st
from strategies import scenarios

from workbook.lib import Machine
from workbook.lib.errors import BadInput, Refusal, WorkbookError
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.libvirt.writer import domain_to_argv, read_domain, write_domain
from workbook.lib.rules import RULE_SETS, get
from workbook.lib.scenario import Device, Dimm, MemoryBackend, Pmem, Scenario, VhostDevice, VirtioMem
from workbook.lib.size import GiB, KiB, MiB, TiB

HUGE = "/dev/hugepages2M/libvirt/qemu"


def domain(devices: str = "", *, head: str = "", kind: str = "kvm", cells: str = "") -> str:
    numa = f"<cpu><numa>{cells}</numa></cpu>" if cells else ""
    return f"<domain type='{kind}'><name>vm</name>{head}{numa}<devices>{devices}</devices></domain>"


def virtio_mem(target: str = "<size unit='GiB'>4</size>", attributes: str = "", more: str = "") -> str:
    target += "" if "<block" in target else "<block unit='MiB'>2</block>"
    return f"<memory model='virtio-mem'>{more}<target{attributes}>{target}</target></memory>"


ROOM = "<memory unit='GiB'>8</memory><maxMemory slots='2' unit='GiB'>64</maxMemory>"


def objects(argv: list[str], option: str) -> list[dict[str, object]]:
    return [json.loads(value) for name, value in pairwise(argv) if name == option]


# -- libvirt's own command lines --------------------------------------------------------------------------------------


def test_virtio_mem_as_libvirt() -> None:
    """The options equal those of libvirt's test memory-hotplug-virtio-mem (tests/qemuxmlconfdata, libvirt 11)."""
    plain = virtio_mem(
        "<size unit='KiB'>1048576</size><node>0</node><block unit='KiB'>2048</block>"
        "<requested unit='KiB'>524288</requested>"
    )
    huge = virtio_mem(
        "<size unit='KiB'>2097152</size><node>0</node><block unit='KiB'>2048</block>"
        "<requested unit='KiB'>1048576</requested><address base='0x150000000'/>",
        " dynamicMemslots='yes'",
        "<source><nodemask>1-3</nodemask><pagesize unit='KiB'>2048</pagesize></source>",
    )
    head = "<maxMemory unit='KiB'>1099511627776</maxMemory><memory unit='KiB'>8388608</memory>"
    cells = "<cell id='0' cpus='0-1' memory='2095104' unit='KiB'/>"
    argv = domain_to_argv(domain(plain + huge, head=head, cells=cells))
    assert argv[argv.index("-m") + 1] == "size=2095104k,maxmem=1099511627776k"
    assert argv[argv.index("-cpu") + 1] == "qemu64"
    first, second = objects(argv, "-object")
    assert first == {"qom-type": "memory-backend-ram", "id": "memvirtiomem0", "reserve": False, "size": 1073741824}
    assert second == {
        "qom-type": "memory-backend-file",
        "id": "memvirtiomem1",
        "mem-path": HUGE,
        "reserve": False,
        "size": 2147483648,
    }
    assert objects(argv, "-device") == [
        {
            "driver": "virtio-mem-pci",
            "node": 0,
            "block-size": 2097152,
            "requested-size": 536870912,
            "memdev": "memvirtiomem0",
            "id": "virtiomem0",
        },
        {
            "driver": "virtio-mem-pci",
            "node": 0,
            "block-size": 2097152,
            "requested-size": 1073741824,
            "memdev": "memvirtiomem1",
            "prealloc": True,
            "memaddr": 5637144576,
            "dynamic-memslots": True,
            "id": "virtiomem1",
        },
    ]


def test_dimms_as_libvirt() -> None:
    """DIMM sizes are rounded to 2 MiB and slots are given as in libvirt's test memory-hotplug-dimm."""
    dimms = (
        "<memory model='dimm'><target><size unit='KiB'>523264</size><node>0</node></target></memory>"
        "<memory model='dimm'><source><pagesize unit='KiB'>2048</pagesize></source>"
        "<target><size unit='KiB'>524287</size><node>0</node></target></memory>"
    )
    head = "<maxMemory slots='16' unit='KiB'>1099511627776</maxMemory><memory unit='KiB'>1267710</memory>"
    cells = "<cell id='0' cpus='0-1' memory='219136' unit='KiB'/>"
    argv = domain_to_argv(domain(dimms, head=head, kind="qemu", cells=cells))
    assert argv[argv.index("-m") + 1] == "size=219136k,slots=16,maxmem=1099511627776k"
    assert objects(argv, "-object") == [
        {"qom-type": "memory-backend-ram", "id": "memdimm0", "size": 536870912},
        {"qom-type": "memory-backend-file", "id": "memdimm1", "mem-path": HUGE, "prealloc": True, "size": 536870912},
    ]
    assert objects(argv, "-device") == [
        {"driver": "pc-dimm", "node": 0, "memdev": "memdimm0", "id": "dimm0", "slot": 0},
        {"driver": "pc-dimm", "node": 0, "memdev": "memdimm1", "id": "dimm1", "slot": 1},
    ]


def test_explicit_slot_names_the_dimm() -> None:
    """A DIMM in slot 1 is dimm1, its address passed on, as in libvirt's test memory-hotplug-multiple."""
    dimm = (
        "<memory model='dimm'><target><size unit='KiB'>524288</size><node>0</node></target>"
        "<address type='dimm' slot='1' base='0x100000000'/></memory>"
    )
    scenario = read_domain(domain(dimm, head=ROOM))
    assert scenario.devices == (Dimm(id="dimm1", memdev="memdimm1", slot=1, addr=4 * GiB),)


def test_virtio_pmem_as_libvirt() -> None:
    """The options equal those of libvirt's test memory-hotplug-virtio-pmem."""
    pmem = (
        "<memory model='virtio-pmem' access='shared'><source><path>/tmp/virtio_pmem</path></source>"
        "<target><size unit='KiB'>524288</size><address base='0x140000000'/></target></memory>"
    )
    argv = domain_to_argv(domain(pmem, head=ROOM))
    assert objects(argv, "-object") == [
        {
            "qom-type": "memory-backend-file",
            "id": "memvirtiopmem0",
            "mem-path": "/tmp/virtio_pmem",
            "share": True,
            "size": 536870912,
        }
    ]
    assert objects(argv, "-device") == [
        {"driver": "virtio-pmem-pci", "memdev": "memvirtiopmem0", "memaddr": 5368709120, "id": "virtiopmem0"}
    ]


def test_memfd_with_huge_pages_as_libvirt() -> None:
    """The RAM's backend equals that of libvirt's test memfd-memory-numa."""
    head = (
        "<maxMemory slots='16' unit='KiB'>1099511627776</maxMemory><memory unit='KiB'>14680064</memory>"
        "<memoryBacking><hugepages><page size='2048' unit='KiB'/></hugepages><source type='memfd'/>"
        "<access mode='shared'/><allocation mode='immediate' threads='8'/></memoryBacking>"
    )
    argv = domain_to_argv(domain(head=head, cells="<cell id='0' cpus='0-7' memory='14680064' unit='KiB'/>"))
    assert objects(argv, "-object") == [
        {
            "qom-type": "memory-backend-memfd",
            "id": "ram-node0",
            "hugetlb": True,
            "hugetlbsize": 2097152,
            "share": True,
            "prealloc": True,
            "size": 15032385536,
        }
    ]
    assert argv[argv.index("-numa") + 1] == "node,nodeid=0,memdev=ram-node0"


def test_huge_pages_by_node_as_libvirt() -> None:
    """Pages and sharing follow the node, as in libvirt's test hugepages-memaccess."""
    head = (
        "<maxMemory slots='16' unit='KiB'>8388608</maxMemory><memory unit='KiB'>4194304</memory><memoryBacking>"
        "<hugepages><page size='2048' unit='KiB' nodeset='1'/><page size='1048576' unit='KiB' nodeset='0,2-3'/>"
        "</hugepages><access mode='private'/></memoryBacking>"
    )
    cells = "".join(
        f"<cell id='{node}' memory='1048576' unit='KiB'{access}/>"
        for node, access in enumerate(("", " memAccess='shared'", "", ""))
    )
    dimm = "<memory model='dimm'><target><size unit='KiB'>524288</size><node>1</node></target></memory>"
    boot, module = objects(domain_to_argv(domain(dimm, head=head, cells=cells)), "-object")
    assert (boot["mem-path"], boot["share"]) == ("/dev/hugepages1G/libvirt/qemu", False)
    assert (module["mem-path"], module["share"], module["prealloc"]) == (HUGE, True, True)


def test_without_numa_the_ram_is_pc_ram() -> None:
    """Shared RAM without NUMA cells is a file named pc.ram, and vhost nets are found, as in libvirt's net-vhostuser."""
    nets = (
        "<interface type='vhostuser'><source type='unix' path='/tmp/vhost0.sock' mode='server'/>"
        "<model type='virtio'/></interface>"
        "<interface type='server'><model type='rtl8139'/></interface>"
        "<interface type='vhostuser'><model type='virtio'/></interface>"
    )
    head = "<memory unit='KiB'>219136</memory><memoryBacking><access mode='shared'/></memoryBacking>"
    argv = domain_to_argv(domain(nets, head=head, kind="qemu"))
    assert argv[argv.index("-machine") + 1] == "pc,memory-backend=pc.ram"
    (boot,) = objects(argv, "-object")
    assert boot == {
        "qom-type": "memory-backend-file",
        "id": "pc.ram",
        "mem-path": "/var/lib/libvirt/qemu/ram/pc.ram",
        "share": True,
        "size": 224395264,
    }
    assert objects(argv, "-netdev") == [
        {"type": "vhost-user", "id": "hostnet0"},
        {"type": "vhost-user", "id": "hostnet2"},
    ]


@pytest.mark.parametrize(
    ("element", "device"),
    [
        (
            "<filesystem type='mount'><driver type='virtiofs'/><source dir='/srv'/><target dir='tag'/></filesystem>",
            VhostDevice(id="fs0", driver="vhost-user-fs-pci"),
        ),
        (
            "<disk type='vhostuser'><source type='unix' path='/tmp/s'/><target dev='vdb' bus='virtio'/></disk>",
            VhostDevice(id="virtio-disk1", driver="vhost-user-blk-pci"),
        ),
        (
            "<vsock model='virtio'><cid auto='yes'/></vsock>",
            VhostDevice(id="vsock0", driver="vhost-vsock-pci", kernel=True),
        ),
        (
            "<hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' wwpn='naa.51234567'/></hostdev>",
            VhostDevice(id="hostdev0", driver="vhost-scsi-pci", kernel=True),
        ),
        (
            "<interface type='bridge'><source bridge='br0'/><model type='virtio'/></interface>",
            VhostDevice(id="hostnet0", driver="netdev tap", kernel=True),
        ),
        (
            "<video><driver name='vhostuser'/><model type='virtio' primary='no'/></video>",
            VhostDevice(id="video0", driver="vhost-user-gpu-pci"),
        ),
        ("<interface type='bridge'><model type='e1000e'/></interface>", None),
        ("<interface type='bridge'><model type='virtio'/><driver name='qemu'/></interface>", None),
        ("<filesystem type='mount'><source dir='/srv'/><target dir='tag'/></filesystem>", None),
        ("<disk type='file'><target dev='vda' bus='virtio'/></disk>", None),
    ],
)
def test_vhost_devices(element: str, device: VhostDevice | None) -> None:
    """Every element that libvirt gives a vhost back end is found with libvirt's id; others are not."""
    scenario = read_domain(domain(element, head="<memory unit='GiB'>1</memory>"))
    assert scenario.devices == (() if device is None else (device,))


# -- real-world pieces ------------------------------------------------------------------------------------------------

KUBEVIRT = """\
<?xml version="1.0" encoding="UTF-8"?>
<domain type="kvm" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
  <name>default_vm</name>
  <maxMemory unit="b" slots="16">137438953472</maxMemory>
  <memory unit="b">21474836480</memory>
  <vcpu>2</vcpu>
  <os><type arch="x86_64" machine="q35">hvm</type></os>
  <memoryBacking><source type="memfd"/><access mode="shared"/></memoryBacking>
  <cpu mode="host-model"><topology sockets="2" cores="1" threads="1"/>
    <numa><cell id="0" cpus="0-1" memory="4294967296" unit="b"/></numa></cpu>
  <devices>
    <interface type="ethernet"><model type="virtio-non-transitional"/><alias name="ua-default"/></interface>
    <filesystem type="mount"><source socket="/run/vfs.sock"/><target dir="data"/><driver type="virtiofs"/>
      <alias name="ua-data"/></filesystem>
    <memory model="virtio-mem"><target dynamicMemslots="yes"><size unit="b">17179869184</size><node>0</node>
      <block unit="b">2097152</block><requested unit="b">2147483648</requested><current unit="b">0</current></target>
      <alias name="ua-hotplug"/></memory>
  </devices>
</domain>
"""


def test_whole_domain_as_kubevirt_writes() -> None:
    """A domain with virtiofs, a tap and virtio-mem: QEMU makes the tap first, then the memory; ids are the aliases."""
    scenario = read_domain(KUBEVIRT, rules=get("qemu-10.0"), vhost_slots={"ua-data": 509})
    assert scenario.ram == 4 * GiB
    assert (scenario.maxmem, scenario.ram_slots) == (128 * GiB, 16)
    assert scenario.ram_backend == "ram-node0"
    assert scenario.devices == (
        VhostDevice(id="hostua-default", driver="netdev tap", kernel=True),
        VirtioMem(
            id="ua-hotplug",
            memdev="memua-hotplug",
            requested_size=2 * GiB,
            block_size=2 * MiB,
            dynamic_memslots=True,
        ),
        VhostDevice(id="ua-data", slots=509),
    )


def test_machine_from_libvirt_decides() -> None:
    """A machine from XML plugs what the XML says, and its memslots are those of the same VM from argv."""
    limits = {"ua-data": 509, "hostua-default": 509}
    machine = Machine.from_libvirt(KUBEVIRT, vhost_slots=limits, kvm_slots=4096)
    again = Machine.from_qemu_args(machine.qemu_args(), kvm_slots=4096, vhost_slots=limits)
    assert machine.devices[0].decision.count == again.devices[0].decision.count == 16
    assert Machine.from_libvirt(KUBEVIRT).devices[0].decision.count == 1
    assert machine.info_mtree() == again.info_mtree()
    assert "ua-hotplug" in machine.libvirt_xml()
    machine.device_del("ua-data")
    machine.device_add("vhost-user-fs-pci", "ua-data")
    assert machine.vhosts[-1].backend.limit == 509


@pytest.mark.parametrize(
    "text",
    [
        "<maxMemory unit='GiB'>64</maxMemory>" + virtio_mem(),
        f"<devices>{virtio_mem()}</devices>\n<maxMemory unit='GiB'>64</maxMemory>",
        f"<x><y>{virtio_mem()}</y><maxMemory unit='GiB'>64</maxMemory></x>",
        "<?xml version='1.0'?>\n<!-- mine -->" + virtio_mem() + "<maxMemory unit='MiB'>65536</maxMemory>",
    ],
)
def test_pieces(text: str) -> None:
    """A memory device and <maxMemory> will do, side by side or within anything."""
    scenario = read_domain(text)
    assert (scenario.ram, scenario.maxmem) == (4 * GiB, 64 * GiB)
    assert [one.id for one in scenario.devices] == ["virtiomem0"]
    assert scenario.backends[0].size == 4 * GiB


def test_bare_device_gets_just_enough_room() -> None:
    """A memory device alone gets a VM of 4 GiB with just enough maximum memory."""
    scenario = read_domain(virtio_mem())
    assert scenario.maxmem == scenario.ram + 4 * GiB
    Machine(scenario)


def test_numatune_memory_is_no_memory() -> None:
    """<numatune> has a <memory> too, which says nothing of sizes."""
    text = "<numatune><memory mode='strict' nodeset='0'/></numatune>" + virtio_mem()
    assert read_domain(text).ram == 4 * GiB


# -- arithmetic -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "number", "size"),
    [
        (" unit='b'", 1 << 30, GiB),
        (" unit='bytes'", 1 << 30, GiB),
        ("", 1 << 20, GiB),
        (" unit='k'", 1 << 20, GiB),
        (" unit='KiB'", 1 << 20, GiB),
        (" unit='M'", 1024, GiB),
        (" unit='mib'", 1024, GiB),
        (" unit='G'", 1, GiB),
        (" unit='GiB'", 1, GiB),
        (" unit='T'", 1, TiB),
        (" unit='TiB'", 1, TiB),
        (" unit='KB'", 1024 * 1024, 1000 * MiB),
        (" unit='MB'", 1024 * 1024, 1000000 * MiB),
        (" unit='GB'", 1024, 976563 * MiB),
        (" unit='b'", 1, MiB),
    ],
)
def test_units(unit: str, number: int, size: int) -> None:
    """Units are libvirt's, KiB is the default, RAM is rounded up to MiB."""
    assert read_domain(f"<domain><memory{unit}> {number}\n</memory></domain>").ram == size


@given(st.integers(1, 64), st.integers(1, 64), st.integers(0, 64))
def test_memory_counts_devices(ram: int, device: int, spare: int) -> None:
    """Without NUMA cells, RAM is what memory devices leave of <memory>; <maxMemory> is maxmem."""
    head = (
        f"<memory unit='GiB'>{ram + device}</memory><currentMemory unit='GiB'>1</currentMemory>"
        f"<maxMemory unit='GiB'>{ram + device + spare}</maxMemory>"
    )
    scenario = read_domain(domain(virtio_mem(f"<size unit='GiB'>{device}</size>"), head=head))
    assert (scenario.ram, scenario.maxmem) == (ram * GiB, (ram + device + spare) * GiB)


@given(st.lists(st.integers(1, 64), min_size=1, max_size=4))
def test_cells_win_over_memory(cells: list[int]) -> None:
    """With NUMA cells, RAM is their sum, whatever <memory> says."""
    numa = "".join(f"<cell id='{node}' memory='{size}' unit='GiB'/>" for node, size in enumerate(cells))
    assert read_domain(domain(head="<memory unit='GiB'>7</memory>", cells=numa)).ram == sum(cells) * GiB


@given(scenarios())
def test_written_memory_adds_up(scenario: Scenario) -> None:
    """<memory> is RAM plus all memory devices, the NUMA cells are the RAM, <maxMemory> is maxmem; all in KiB."""
    root = ET.fromstring(write_domain(scenario))
    devices = sum(int(one.text or 0) for one in root.iterfind("devices/memory/target/size"))
    owned = [scenario.backend(one.memdev or "") for one in scenario.devices if not isinstance(one, VhostDevice)]
    sizes = [one.size for one in owned if one]
    assert devices == sum(-(-one // KiB) for one in sizes)
    assert root.findtext("memory") == str(-(-(scenario.ram + sum(sizes)) // KiB))
    cells = root.findall("cpu/numa/cell")
    if cells:
        assert sum(int(one.get("memory", "")) for one in cells) == scenario.ram // KiB
    if root.find("maxMemory") is not None:
        assert root.findtext("maxMemory") == str(scenario.maxmem // KiB)
    else:
        assert scenario.maxmem == scenario.ram


# -- there and back ---------------------------------------------------------------------------------------------------


@st.composite
def libvirt_scenarios(draw: st.DrawFn) -> Scenario:
    """VMs that libvirt can express to the last field."""
    kind, share, page = draw(
        st.sampled_from(
            [
                ("ram", False, 4 * KiB),
                ("memfd", True, 4 * KiB),
                ("memfd", False, 4 * KiB),
                ("memfd", True, 2 * MiB),
                ("memfd", True, GiB),
            ]
        )
    )
    immediate = kind == "memfd" and draw(st.booleans())
    ram = draw(st.integers(1, 512)) * GiB
    boot = MemoryBackend(id="", size=ram, kind=kind, share=share, page_size=page, prealloc=immediate or page != 4 * KiB)
    devices: list[Device] = []
    backends: list[MemoryBackend] = []
    numbers = {"virtiomem": 0, "virtiopmem": 0, "dimm": 0}
    for what in draw(st.lists(st.sampled_from(("virtiomem", "virtiopmem", "dimm")), max_size=4)):
        name = f"{what}{numbers[what]}" if draw(st.booleans()) or what == "dimm" else f"ua-{what}x{len(devices)}"
        numbers[what] += name[:2] != "ua"
        memdev = f"mem{name}"
        size = draw(st.integers(1, 1024)) * GiB
        address = draw(st.integers(0, 1 << 20)) * 2 * MiB
        shown = replace(boot, id=memdev, size=size)
        if what == "dimm":
            devices.append(Dimm(id=name, memdev=memdev, slot=int(name.removeprefix("dimm")), addr=address))
        elif what == "virtiopmem":
            shown = MemoryBackend(
                id=memdev, size=size, kind="file", share=True, prealloc=immediate, mem_path=f"/tmp/a,b & <{name}>"
            )
            devices.append(Pmem(id=name, memdev=memdev, memaddr=address))
        else:
            block = draw(st.sampled_from((2 * MiB, 4 * MiB, GiB)))
            shown = replace(shown, reserve=False, prealloc=False)
            devices.append(
                VirtioMem(
                    id=name,
                    memdev=memdev,
                    memaddr=address // block * block,
                    block_size=block,
                    requested_size=draw(st.integers(0, size // block)) * block,
                    dynamic_memslots=draw(st.sampled_from((None, True, False))),
                    max_memslots=draw(st.sampled_from((None, 0, 8))),
                    memslots=draw(st.sampled_from((None, 1))),
                    unplugged_inaccessible=draw(st.sampled_from((None, "auto", "on", "off"))),
                    prealloc=draw(st.booleans()),
                )
            )
        backends.append(shown)
    drivers = [("vhost-scsi-pci", "hostdev0", True), ("vhost-vsock-pci", "vsock0", True)]
    if kind == "memfd" and share:
        first = [("vhost-user-blk-pci", "virtio-disk0", False), ("vhost-user-fs-pci", "fs0", False)]
        drivers = [*first, ("vhost-user-fs-pci", "ua-data", False), *drivers]
        if draw(st.booleans()):
            devices.insert(0, VhostDevice(id="hostnet0", driver="netdev vhost-user"))
    devices += [
        VhostDevice(id=name, driver=driver, kernel=kernel) for driver, name, kernel in drivers if draw(st.booleans())
    ]
    extra = draw(st.sampled_from((0, GiB, TiB))) + (sum(one.size for one in backends))
    accel = draw(st.sampled_from(("kvm", "tcg")))
    named = accel == "tcg" or draw(st.booleans())
    is_plain = kind == "ram"
    boot_name = "ram-node0" if extra else "pc.ram"
    return Scenario(
        chipset=draw(st.sampled_from(("q35", "pc"))),
        machine_version=draw(st.sampled_from((None, (6, 1), (10, 0)))),
        accel=accel,
        smm=accel == "kvm" and draw(st.booleans()),
        cpu_vendor=draw(st.sampled_from(("intel", "amd"))) if named else None,
        phys_bits=draw(st.integers(32, 52)) if named else draw(st.sampled_from((None, 46))),
        ram=ram,
        maxmem=ram + extra,
        ram_slots=draw(st.integers(numbers["dimm"], 64)) if extra else 0,
        display=draw(st.booleans()),
        ram_backend=None if is_plain else boot_name,
        backends=(*backends,) if is_plain else (replace(boot, id=boot_name), *backends),
        devices=tuple(devices),
    )


@given(libvirt_scenarios())
def test_round_trip(scenario: Scenario) -> None:
    """What libvirt can express comes back the same, and no comment complains."""
    # a second file system is fs1 for libvirt wherever the first is
    text = write_domain(scenario)
    assert read_domain(text) == scenario
    assert "<!--" not in text


@given(scenarios(), st.sampled_from(sorted(RULE_SETS)))
def test_nothing_is_lost_silently(scenario: Scenario, rules: str) -> None:
    """What comes back has the scenario's machine and sizes, or a comment names the field; twice changes nothing."""
    text = write_domain(scenario, get(rules))
    comment = " ".join(one.text or "" for one in ET.fromstring(text, _with_comments()).iter(ET.Comment))
    assert text == write_domain(scenario, get(rules))
    if "refused: " in comment:
        with pytest.raises(WorkbookError):
            read_domain(text)
        return
    made = read_domain(text)
    for name in ("chipset", "machine_version", "accel", "smm", "cpu_vendor", "phys_bits", "ram", "maxmem", "ram_slots"):
        label = f"machine: {name.replace('_', '-')} is "
        assert (getattr(made, name) == getattr(scenario, name)) is not (label in comment)
    assert (made.incoming == scenario.incoming) is not ("machine: incoming is" in comment)
    memory = [one for one in scenario.devices if not isinstance(one, VhostDevice)]
    there = [one for one in made.devices if not isinstance(one, VhostDevice)]
    assert [type(one) for one in memory] == [type(one) for one in there]
    for one, other in zip(memory, there, strict=True):
        if isinstance(one, VirtioMem) and isinstance(other, VirtioMem):
            assert one.requested_size == other.requested_size or "requested-size is" in comment
            assert one.dynamic_memslots == other.dynamic_memslots or "dynamic-memslots is" in comment
            assert one.memaddr == other.memaddr
    again = write_domain(made, get(rules))
    # what libvirt has rounded up may be too much the second time, or leave no room
    rounded = any(one.size % (2 * MiB) for one in scenario.backends) or scenario.ram % MiB or scenario.maxmem % MiB
    assert rounded or read_domain(again) == made


def _with_comments() -> ET.XMLParser:
    return ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))


def _outcome(make: Callable[[], Machine]) -> object:
    try:
        return [(one.decision.count, one.decision.memslot_size) for one in make().devices]
    except Refusal as refusal:
        return refusal.message


@pytest.mark.parametrize("name", sorted(PRESETS))
@pytest.mark.parametrize("limit", [None, 0, 64, 4096])
def test_presets_make_machines(name: str, limit: int | None) -> None:
    """Every preset's XML is one that libvirt takes; its machine decides as the preset does in libvirt's order."""
    scenario = SETTINGS["vhost_slots"].put(replace(PRESETS[name].scenario, actions=()), limit, None)
    if limit is not None:
        scenario = SETTINGS["vhost_place"].put(scenario, "after", None)
    if scenario.rules != "qemu-10.0":
        # the RFC cuts by the block size as given, and libvirt always gives one
        scenario = SETTINGS["block_size"].put(scenario, 2 * MiB, None)
    text = write_domain(scenario, get(scenario.rules))
    assert "refused" not in text
    limits = {one.id: one.slots for one in read_domain(text).devices if isinstance(one, VhostDevice)}
    limits = dict.fromkeys(limits, limit or None)
    made = _outcome(lambda: Machine.from_libvirt(text, scenario.rules, scenario.kvm_slots, limits))
    assert made == _outcome(lambda: Machine(scenario))
    assert ('<source type="memfd" />' in text) == (limit is not None)


def test_order_of_libvirt_is_named() -> None:
    """A vhost-user back end before the device cannot be had: libvirt's order counts, and a comment says so."""
    before = SETTINGS["vhost_slots"].put(PRESETS["one-tib"].scenario, 64, None)
    after = SETTINGS["vhost_place"].put(before, "after", None)
    assert "then memory devices, then other devices" in write_domain(before)
    assert "then memory devices, then other devices" not in write_domain(after)
    assert isinstance(read_domain(write_domain(before)).devices[0], VirtioMem)


def test_properties_without_an_element_are_overridden() -> None:
    """max-memslots goes through <qemu:override>, and is left out where the QEMU does not know it."""
    scenario = SETTINGS["max_memslots"].put(PRESETS["one-tib"].scenario, 8, None)
    text = write_domain(scenario, get("rfc-2021"))
    assert re.search(r'<qemu:property name="max-memslots" type="unsigned" value="8" ?/>', text)
    (device,) = read_domain(text, rules=get("rfc-2021")).devices
    assert isinstance(device, VirtioMem)
    assert device.max_memslots == 8
    assert "qemu:override" not in write_domain(scenario, get("qemu-10.0"))
    assert "vm0: max-memslots is unset, not 8" in write_domain(scenario, get("qemu-10.0"))


def test_passed_through_options_count() -> None:
    """Devices of <qemu:commandline> come last, and properties can be removed and changed by <qemu:override>."""
    text = (
        "<qemu:commandline><qemu:arg value='-device'/><qemu:arg value='vhost-user-rng-pci,id=rng'/></qemu:commandline>"
        "<qemu:override><qemu:device alias='virtiomem0'><qemu:frontend>"
        "<qemu:property name='requested-size' type='unsigned' value='4194304'/>"
        "<qemu:property name='block-size' type='remove'/>"
        "<qemu:property name='prealloc' type='bool' value='true'/>"
        "</qemu:frontend></qemu:device></qemu:override>"
    )
    device, rng = read_domain(virtio_mem() + text).devices
    assert isinstance(device, VirtioMem)
    assert (device.requested_size, device.block_size, device.prealloc) == (4 * MiB, 0, True)
    assert rng == VhostDevice(id="rng", driver="vhost-user-rng-pci")


# -- what is wrong ----------------------------------------------------------------------------------------------------

BILLION = "<!DOCTYPE d [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><domain><memory>&b;</memory></domain>"


@pytest.mark.parametrize(
    ("text", "words"),
    [
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
        ("<domain/>", "<memory> is missing"),
        (
            "<domain type='xen'><memory>1</memory></domain>",
            "<domain type='xen'> is not modelled: known are kvm and qemu",
        ),
        ("<domain><memory unit='GiB'>x</memory></domain>", "<memory>: 'x' is not a whole number"),
        ("<domain><memory unit='GiB'>1.5</memory></domain>", "<memory>: '1.5' is not a whole number"),
        ("<domain><memory unit='parsec'>1</memory></domain>", "<memory>: unit 'parsec' is not libvirt's: use b, KB"),
        ("<domain><memory unit='EiB'>16</memory></domain>", "<memory>: 16 EiB is too large"),
        ("<domain><memory>0</memory></domain>", "the domain has no RAM"),
        (
            domain(virtio_mem(), head="<memory unit='GiB'>1</memory>"),
            "<memory> is 1 GiB, less than the memory devices, 4 GiB",
        ),
        (domain(virtio_mem(), head="<memory unit='GiB'>8</memory>"), "<maxMemory> is missing"),
        (
            domain(virtio_mem(), head="<memory unit='GiB'>8</memory><maxMemory unit='GiB'>7</maxMemory>"),
            "<maxMemory> is 7 GiB: it must be at least RAM and memory devices, 8 GiB",
        ),
        (domain(virtio_mem("<node>0</node>"), head=ROOM), "<memory model='virtio-mem'> needs <target> with a <size>"),
        (
            virtio_mem("<size unit='GiB'>four</size>"),
            "<memory model='virtio-mem'> <size>: 'four' is not a whole number",
        ),
        (
            virtio_mem("<size unit='GiB'>4</size><block unit='MiB'>3</block>"),
            "<block> is 3 MiB: libvirt takes a power of two from 2 MiB on",
        ),
        (virtio_mem("<size unit='GiB'>4</size><block unit='MiB'>1</block>"), "<block> is 1 MiB"),
        (
            virtio_mem("<size unit='GiB'>4</size><block>0</block>"),
            "needs <target> with a <block>, such as <block unit=",
        ),
        (
            virtio_mem("<size unit='GiB'>4</size><address base='0x100100000'/>"),
            "<address base='0x100100000'>: it must be a multiple of <block>, 2 MiB",
        ),
        ("<vsock/><vsock/>", "<vsock> is there twice"),
        (
            domain("<memory model='dimm'><target><size unit='GiB'>1</size></target></memory>" * 3, head=ROOM),
            "<maxMemory slots='2'> has no slot 2: every <memory model='dimm'> needs one",
        ),
        (
            virtio_mem("<size unit='GiB'>4</size><requested unit='GiB'>5</requested>"),
            "<requested> is 5 GiB: at most the <size>, 4 GiB",
        ),
        (
            virtio_mem("<size unit='GiB'>4</size><requested unit='MiB'>3</requested>"),
            "<requested> is 3 MiB: it must be a multiple of <block>, 2 MiB",
        ),
        (virtio_mem("<size unit='MiB'>3</size>"), "<size> is 3 MiB: it must be a multiple of <block>"),
        (virtio_mem(attributes=" dynamicMemslots='on'"), "<target dynamicMemslots='on'>: allowed are yes, no"),
        (
            domain(virtio_mem("<size unit='GiB'>4</size><node>1</node>"), head=ROOM),
            "<memory model='virtio-mem'> <node> is 1: the NUMA cells end before it",
        ),
        (
            virtio_mem("<size unit='GiB'>4</size><address base='here'/>"),
            "<address base=>: 'here' is not a hexadecimal number",
        ),
        (
            virtio_mem(more="<source><pagesize unit='KiB'>64</pagesize></source>"),
            "<pagesize>: 64 KiB is no page of x86: use 4 KiB, 2 MiB, 1 GiB",
        ),
        (
            "<memory model='nvdimm'/>",
            "<memory model='nvdimm'> is not modelled: known are virtio-mem, dimm, virtio-pmem",
        ),
        (
            "<memory model='virtio-pmem'><target><size>4096</size></target></memory>",
            "<memory model='virtio-pmem'> needs access='shared' and <source> with a <path>",
        ),
        (
            "<os><type arch='aarch64' machine='virt'>hvm</type></os>" + virtio_mem(),
            "<type arch='aarch64'> is not modelled",
        ),
        ("<os><type machine='virt'>hvm</type></os>" + virtio_mem(), "machine type 'virt' is not modelled"),
        ("<os><type machine='q35,smm=on'>hvm</type></os>" + virtio_mem(), "is no machine type"),
        (
            virtio_mem(more="<alias name='ua-x'/>") + virtio_mem(more="<alias name='ua-x'/>"),
            "<alias name='ua-x'> is there twice",
        ),
        (
            "<memoryBacking><source type='floppy'/></memoryBacking>" + virtio_mem(),
            "<source type='floppy'>: allowed are",
        ),
        (
            "<memoryBacking><hugepages><page size='2048' nodeset='x'/></hugepages></memoryBacking>" + virtio_mem(),
            "nodeset 'x': 'x' is not a whole number",
        ),
    ],
    ids=lambda value: re.sub(r"\W+", "-", value)[:40].encode("ascii", "replace").decode(),
)
def test_errors_name_the_element(text: str, words: str) -> None:
    """What is wrong is one line that names the element, its value and what is allowed."""
    with pytest.raises(BadInput) as caught:
        read_domain(text)
    line = str(caught.value)
    assert words in line
    assert "\n" not in line


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


# -- a real QEMU ------------------------------------------------------------------------------------------------------


@pytest.mark.qemu
@pytest.mark.parametrize("dynamic", ["yes", "no"])
def test_real_qemu_takes_the_options(ask_qemu: Callable[..., tuple[str, str]], dynamic: str) -> None:
    """A real QEMU starts with the options made from XML, and its device memory is the model's."""
    target = "<size unit='GiB'>3</size><node>0</node><requested unit='GiB'>1</requested>"
    dimm = "<memory model='dimm'><target><size unit='MiB'>511</size><node>0</node></target></memory>"
    text = domain(
        virtio_mem(target, f" dynamicMemslots='{dynamic}'") + dimm + virtio_mem(target),
        head="<maxMemory slots='2' unit='GiB'>16</maxMemory><os><type machine='pc-q35-8.2'>hvm</type></os>",
        kind="qemu",
        cells="<cell id='0' memory='256' unit='MiB'/><cell id='1' memory='256' unit='MiB'/>",
    )
    shown, complaints = ask_qemu(domain_to_argv(text), "info mtree")
    assert complaints == ""
    expected = Machine.from_libvirt(text).info_mtree().splitlines()
    assert len(expected) > 3
    assert [line for line in shown.splitlines() if line in set(expected)][: len(expected)] == expected
