"""aarch64 ``virt`` and s390x ``s390-ccw-virtio``; numbers and texts as QEMU 10.0.13 and 11.1.3 show them under TCG."""

from dataclasses import replace

import pytest

from workbook.lib import Machine
from workbook.lib.errors import Refusal
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.size import GiB, MiB, TiB

MEMDEV = "-object memory-backend-ram,id=m,size=4G"
ARM = "qemu-system-aarch64 -machine virt"
S390 = "qemu-system-s390x -machine s390-ccw-virtio"


@pytest.mark.parametrize(
    ("line", "base", "size"),
    [
        (f"{ARM} -m 4G,maxmem=104G", 0x1_4000_0000, 100 * GiB),
        (f"{ARM} -m 4097M,maxmem=104G", 0x1_8000_0000, 104 * GiB - 4097 * MiB),
        (f"{ARM} -m 2G,maxmem=402G", 0xC000_0000, 400 * GiB),
        (f"{ARM} -m 2G,maxmem=4G,slots=256", 0xC000_0000, 258 * GiB),
        (f"{S390} -m 4097M,maxmem=3T", 0x1_4000_0000, 3 * TiB - 4097 * MiB),
        (f"{S390} -m 2G,maxmem=4G,slots=300", 0x8000_0000, 2 * GiB),
        ("qemu-system-s390x -m 2G", 0, 0),
    ],
)
def test_layout(line: str, base: int, size: int) -> None:
    """Device memory starts at the next GiB behind the RAM; slots= adds a GiB each on virt, nothing on s390x."""
    board = Machine.from_qemu_args(line).board
    assert (board.device_memory_base, board.device_memory_size) == (base, size)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{ARM} -m 2G,maxmem=4G,slots=257", "unsupported number of memory slots: 257"),
        (
            f"{ARM} -cpu cortex-a72 -m 2G,maxmem=16384G",
            "Addressing limited to 44 bits, but memory exceeds it by 1073741824 bytes",
        ),
        (f"{ARM},highmem=off -m 4G", "Addressing limited to 32 bits, but memory exceeds it by 1073741824 bytes"),
        (
            f"{ARM} -m 2G,maxmem=8G,slots=1 {MEMDEV} -device pc-dimm,memdev=m",
            "memory hotplug is not enabled: missing acpi-ged device",
        ),
        (
            f"{ARM} -m 2G,maxmem=8G {MEMDEV} -device virtio-mem-pci,memdev=m,unplugged-inaccessible=on",
            "Property 'virtio-mem-pci.unplugged-inaccessible' not found",
        ),
        (
            f"{ARM} -m 2G,maxmem=8G {MEMDEV} -device virtio-mem-ccw,memdev=m",
            "'virtio-mem-ccw' is not a valid device model name",
        ),
        (
            "qemu-system-aarch64 -m 2G",
            "No machine specified, and there is no default\nUse -machine help to list supported machines",
        ),
        (f"{S390} -m 2049K", "ram size must be multiples of 1 MiB"),
        (f"{S390} -m 1M", "not enough RAM to load the BIOS file"),
        (f"{S390} -m 2G -numa node,nodeid=0", "NUMA is not supported by this machine-type"),
        (
            f"{S390} -m 2G,maxmem=8G {MEMDEV} -device pc-dimm,memdev=m",
            "'pc-dimm' is not a valid device model name",
        ),
        (
            f"{S390}-9.2 -m 2G,maxmem=8G {MEMDEV} -device virtio-mem-pci,memdev=m",
            "MSI-X support is mandatory in the S390 architecture",
        ),
    ],
)
def test_refusals(line: str, message: str) -> None:
    """What these boards refuse, in QEMU's words, with advice."""
    with pytest.raises(Refusal) as caught:
        Machine.from_qemu_args(line)
    assert caught.value.message == message
    assert caught.value.advice


def test_dimms_on_virt() -> None:
    """With a firmware, a 64-bit CPU and ACPI, virt takes DIMMs."""
    line = f"{ARM} -cpu max -bios QEMU_EFI.fd -m 2G,maxmem=8G,slots=1 {MEMDEV} -device pc-dimm,id=d,memdev=m"
    assert [one.id for one in Machine.from_qemu_args(line).bus.devices] == ["d"]


def test_boot_memslots() -> None:
    """virt: flash twice and RAM; s390x: RAM in pieces of at most 4 TiB, device memory too."""
    assert Machine.from_qemu_args(f"{ARM} -accel kvm -cpu host -m 4G").kvm_used == (3,)
    assert Machine.from_qemu_args(f"{S390} -accel kvm -m 4G").kvm_used == (1,)
    assert Machine.from_qemu_args(f"{S390} -accel kvm -m 9T").kvm_used == (3,)
    big = "-m 4G,maxmem=9T -object memory-backend-ram,id=m,size=5T -device virtio-mem-ccw,memdev=m"
    assert Machine.from_qemu_args(f"{S390} -accel kvm {big}").kvm_used == (3,)


@pytest.mark.parametrize(("machine", "usable"), [(ARM, 2 * GiB), (S390, 1280 * MiB)])
def test_usable_region(machine: str, usable: int) -> None:
    """The usable region is 1 GiB larger than what is requested on aarch64, 256 MiB on s390x."""
    device = "virtio-mem-ccw" if "s390x" in machine else "virtio-mem-pci"
    line = f"{machine} -m 2G,maxmem=8G {MEMDEV} -device {device},id=v,memdev=m,requested-size=1G"
    assert Machine.from_qemu_args(line).config_space("v")["usable_region_size"] == usable


def test_presets_and_pages() -> None:
    """An ARM host with 64 KiB pages has blocks of 512 MiB; Kata on s390x has one memslot."""
    arm = Machine(PRESETS["arm-64k"].scenario)
    assert arm.config_space("vm0")["block_size"] == 512 * MiB
    assert Machine(PRESETS["kata-s390x"].scenario).kvm_used == (2,)


@pytest.mark.parametrize("name", ["arm-64k", "kata-s390x"])
def test_written_and_read_again(name: str) -> None:
    """The command line of a preset makes the same VM."""
    vm = Machine(PRESETS[name].scenario)
    host = vm.scenario.host
    again = Machine.from_qemu_args(vm.qemu_args(), vm.rules, kvm_slots=vm.scenario.kvm_slots, host=host)
    assert again.info_mtree() == vm.info_mtree()
    assert again.board == vm.board


@pytest.mark.parametrize("chipset", ["virt", "s390-ccw-virtio", "pc"])
def test_the_board_is_a_setting(chipset: str) -> None:
    """A VM moves from board to board and back; what belongs to the architecture goes with it."""
    start = replace(PRESETS["one-tib"].scenario, rules="qemu-10.0")
    moved = SETTINGS["chipset"].put(start, chipset, None)
    Machine(moved)
    assert Machine(SETTINGS["chipset"].put(moved, "q35", None)).board.device_memory_base


NVDIMM = "-m 2G,maxmem=8G,slots=2 -object memory-backend-ram,id=m,size=1G -device nvdimm,memdev=m,id=n"
NOT_ENABLED = "nvdimm is not enabled: add 'nvdimm=on' to '-M'"
NO_GED = "memory hotplug is not enabled: missing acpi-ged device"
MTE = "memory hotplug is not enabled: MTE is enabled"


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        (f"{ARM} -cpu max {NVDIMM}", NO_GED, NOT_ENABLED),
        (f"{ARM},nvdimm=on -cpu max {NVDIMM}", NO_GED, None),
        (f"{ARM},nvdimm=on,acpi=off {NVDIMM}", NO_GED, None),
        (f"{ARM} -cpu max -bios f {NVDIMM}", NOT_ENABLED, NOT_ENABLED),
        (f"{ARM},nvdimm=on -cpu max -bios f {NVDIMM}", None, None),
        (f"{ARM},nvdimm=on,mte=on -cpu max {NVDIMM}", NO_GED, MTE),
        (f"{ARM},nvdimm=on,mte=on -cpu max -bios f {NVDIMM}", MTE, MTE),
        (f"{ARM},mte=on -cpu cortex-a57 -m 2G", *["MTE requested, but not supported by the guest CPU"] * 2),
    ],
)
def test_nvdimm_on_virt_by_version(line: str, old: str | None, new: str | None) -> None:
    """QEMU 11 takes an NVDIMM without firmware; 10.0.13 asks for ACPI first. With MTE neither takes any DIMM."""
    for version, message in (("qemu-10.0.13", old), ("qemu-11.1.3", new)):
        if message is None:
            vm = Machine.from_qemu_args(line, version)
            assert "nv-ram): alias nvdimm-memory @m" in vm.info_mtree()
        else:
            with pytest.raises(Refusal) as caught:
                Machine.from_qemu_args(line, version)
            assert caught.value.message == message


def test_mte_survives_a_command_line() -> None:
    """What is written for a machine with MTE names a CPU that has it."""
    vm = Machine.from_qemu_args(f"{ARM},mte=on -cpu neoverse-n2 -m 2G,maxmem=8G")
    assert Machine.from_qemu_args(vm.qemu_args()).scenario == vm.scenario


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("virtio-mem-ccw", "Memory device uses a bigger page size than initial memory"),
        ("virtio-mem-pci", "Memory device uses a bigger page size than initial memory"),
        ("virtio-mem-ccw,block-size=1M", "'block-size' property has to be at least the page size (0x200000)"),
        ("virtio-mem-ccw,node=1", "'node' property has value '1', which exceedsthe number of numa nodes: 1"),
    ],
)
def test_s390x_page_size(device: str, message: str) -> None:
    """s390x refuses memory with larger pages than boot RAM has, after all other checks of the device."""
    huge = "-object memory-backend-memfd,hugetlb=on,hugetlbsize=2M,id=m,size=1G"
    driver, _, rest = device.partition(",")
    line = f"{S390}-9.2 -m 2G,maxmem=8G {huge} -device {driver},id=v,memdev=m{',' if rest else ''}{rest}"
    with pytest.raises(Refusal) as caught:
        Machine.from_qemu_args(line)
    assert caught.value.message == message


def test_s390x_boot_ram_with_large_pages() -> None:
    """With pages as large in boot RAM the device starts."""
    boot = "-object memory-backend-memfd,hugetlb=on,hugetlbsize=2M,id=b,size=2G"
    device = "-object memory-backend-memfd,hugetlb=on,hugetlbsize=2M,id=m,size=1G -device virtio-mem-ccw,memdev=m"
    vm = Machine.from_qemu_args(f"{S390},memory-backend=b -m 2G,maxmem=8G {boot} {device}")
    assert len(vm.devices) == 1


@pytest.mark.parametrize("program", [f"{ARM}", f"{S390}", "qemu-system-x86_64"])
def test_a_hugetlb_memfd_is_whole_pages(program: str) -> None:
    """The kernel refuses another size, while the object is made: before any device."""
    line = f"{program} -m 2G,maxmem=8G -object memory-backend-memfd,hugetlb=on,id=m,size=3001M"
    with pytest.raises(Refusal) as caught:
        Machine.from_qemu_args(line)
    assert caught.value.message == "failed to resize memfd to 3146776576: Invalid argument"


def test_ram_of_virt_counts_in_whole_gib() -> None:
    """Without device memory, too: boot RAM is rounded up before it is held against the CPU's addresses."""
    with pytest.raises(Refusal, match="exceeds it by 2147483648 bytes"):
        Machine.from_qemu_args(f"{ARM},highmem=off -m 4097M")
