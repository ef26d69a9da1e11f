"""Domain XML read: against libvirt's own command lines, as people write it, and against a real QEMU."""

from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st
from libvirt_domains import HUGE, KUBEVIRT, ROOM, backends, domain, objects, virtio_mem

from workbook.lib import Machine
from workbook.lib.libvirt.reader import domain_to_argv, read_domain
from workbook.lib.rules import get
from workbook.lib.scenario import Dimm, VhostDevice, VirtioMem
from workbook.lib.size import GiB, MiB, TiB

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
    first, second = backends(argv)
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
    assert backends(argv) == [
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
    assert backends(argv) == [
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
    first, second, *_others, module = objects(domain_to_argv(domain(dimm, head=head, cells=cells)), "-object")
    assert (first["mem-path"], first["share"]) == ("/dev/hugepages1G/libvirt/qemu", False)
    assert (second["mem-path"], second["share"]) == (HUGE, True)
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
        {"type": "user", "id": "hostnet1"},
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
            "<video><driver name='vhostuser'/><model type='virtio'/></video>",
            VhostDevice(id="video0", driver="vhost-user-vga"),
        ),
        ("<interface type='bridge'><model type='e1000e'/></interface>", None),
        ("<interface type='bridge'><model type='virtio'/><driver name='qemu'/></interface>", None),
        ("<filesystem type='mount'><source dir='/srv'/><target dir='tag'/></filesystem>", None),
        ("<disk type='file'><target dev='vda' bus='virtio'/></disk>", None),
    ],
)
def test_vhost_devices(element: str, device: VhostDevice | None) -> None:
    """Every element that libvirt gives a vhost back end is found with libvirt's id; others are not."""
    shared = "<memoryBacking><access mode='shared'/></memoryBacking>"
    scenario = read_domain(domain(element, head="<memory unit='GiB'>1</memory>" + shared))
    assert scenario.devices == (() if device is None else (device,))


# -- real-world pieces ------------------------------------------------------------------------------------------------


def test_whole_domain_as_kubevirt_writes() -> None:
    """A domain with virtiofs, a tap and virtio-mem: QEMU makes the tap first, then the memory; ids are the aliases."""
    scenario = read_domain(KUBEVIRT, rules=get("qemu-10.0"), vhost_slots={"ua-data": 509})
    assert scenario.ram == 4 * GiB
    assert (scenario.maxmem, scenario.ram_slots) == (128 * GiB, 16)
    assert [one.memdev for one in scenario.numa] == ["ram-node0"]
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
    argv = domain_to_argv(domain(head="<memory unit='GiB'>7</memory>", cells=numa))
    assert argv[argv.index("-m") + 1] == f"size={sum(cells) << 20}k"
    assert [one["size"] for one in objects(argv, "-object")] == [size << 30 for size in cells]


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
    shown, complaints = ask_qemu(domain_to_argv(text)[1:], "info mtree")
    assert complaints == ""
    expected = Machine.from_libvirt(text).info_mtree().splitlines()
    assert len(expected) > 3
    assert [line for line in shown.splitlines() if line in set(expected)][: len(expected)] == expected
