"""What takes memslots on a PC before any device does; every number was seen in a trace of QEMU 10.0.2."""

from dataclasses import replace

import pytest

from workbook.lib.boards.pc import pc_layout
from workbook.lib.boards.pc_memory import PcMemory, kvm_memslots
from workbook.lib.consumers.vhost_backend import VhostBackend
from workbook.lib.memory.region import MemoryRegion
from workbook.lib.scenario import MemoryBackend, NumaNode, PciDevice, Scenario
from workbook.lib.size import GiB, KiB, MiB


def board(**changes: object) -> PcMemory:
    """Return the memory of a PC whose RAM and other backends have file descriptors."""
    backends = (MemoryBackend(id="ram0", size=4 * GiB, kind="memfd", share=True),)
    scenario = replace(Scenario(ram_backend="ram0", backends=backends), **changes)  # type: ignore[arg-type]
    if scenario.ram != 4 * GiB:
        backends = (replace(backends[0], size=scenario.ram), *scenario.backends[1:])
        scenario = replace(scenario, maxmem=scenario.ram, backends=backends)
    regions = {one.id: MemoryRegion.ram(one.id, one.size, has_fd=one.has_fd) for one in scenario.backends}
    return PcMemory(scenario, pc_layout(scenario), regions)


def counts(memory: PcMemory, *, running: bool) -> tuple[int, int]:
    """Return KVM's memslots and vhost-user's regions."""
    view = memory.view(running=running)
    return kvm_memslots(view), len(VhostBackend("vu0", 64).sections(view))


@pytest.mark.parametrize(
    ("chipset", "ram", "firmware_size", "start", "running"),
    [
        ("q35", 4 * GiB, 256 * KiB, (3, 2), (7, 2)),
        ("pc", 4 * GiB, 256 * KiB, (6, 3), (7, 2)),
        ("q35", 1 * GiB, 256 * KiB, (2, 1), (6, 1)),
        ("pc", 1 * GiB, 256 * KiB, (5, 2), (6, 1)),
        ("pc", 4 * GiB, 64 * KiB, (7, 4), (7, 2)),
        ("pc", 1 * GiB, 64 * KiB, (6, 3), (6, 1)),
    ],
)
def test_boot_ram_and_firmware(
    chipset: str, ram: int, firmware_size: int, start: tuple[int, int], running: tuple[int, int]
) -> None:
    """PAM registers, the firmware below 1 MiB and kvmvapic cut low RAM; a firmware of 64 KiB leaves one piece more."""
    memory = board(chipset=chipset, ram=ram, firmware_size=firmware_size)
    assert (counts(memory, running=False), counts(memory, running=True)) == (start, running)


DISPLAYS = {
    "VGA": 10,
    "cirrus-vga": 10,
    "virtio-vga": 10,
    "ati-vga": 10,
    "bochs-display": 10,
    "vmware-svga": 11,
    "secondary-vga": 8,
    "virtio-gpu-pci": 7,
    "ramfb": 9,
    "isa-vga": 10,
    "isa-cirrus-vga": 9,
    "e1000": 9,
    "virtio-net-pci": 9,
    "igb": 7,
    "acpi-erst": 8,
}


@pytest.mark.parametrize(("driver", "slots"), DISPLAYS.items())
def test_fixtures_take_memslots(driver: str, slots: int) -> None:
    """A display's BARs, its ROM and its VGA window, and a network card's ROM, each cut or add a memslot."""
    memory = board(chipset="pc", fixtures=(PciDevice(driver=driver),))
    assert kvm_memslots(memory.view(running=True)) == slots


@pytest.mark.parametrize(
    ("fixtures", "slots"),
    [
        ((PciDevice(driver="VGA", props=(("romfile", ""),)),), 9),
        ((PciDevice(driver="virtio-net-pci", props=(("romfile", ""),)),), 7),
        ((PciDevice(driver="virtio-net-pci", props=(("rombar", "0"),)),), 7),
        ((PciDevice(driver="VGA", props=(("rombar", "0"),)),), 10),
        ((PciDevice(driver="bochs-display", props=(("rombar", "0"),)),), 10),
        ((PciDevice(driver="VGA"), PciDevice(driver="secondary-vga"), PciDevice(driver="bochs-display")), 12),
        ((PciDevice(driver="bochs-display"),) * 6, 15),
        ((PciDevice(driver="option-rom", props=(("romfile", "/x/aa.rom"),)),), 7),
        ((PciDevice(driver="option-rom", props=(("romfile", "/x/zz.rom"),)),), 9),
        ((PciDevice(driver="ivshmem-plain", props=(("memdev", "ram0"),)),), 8),
    ],
)
def test_option_roms_and_bars(fixtures: tuple[PciDevice, ...], slots: int) -> None:
    """romfile= and rombar= move the ROM; ROMs behind fw_cfg run before kvmvapic only where their name is larger."""
    assert kvm_memslots(board(chipset="pc", fixtures=fixtures).view(running=True)) == slots


def test_q35_without_smm_has_no_window() -> None:
    """On q35 under KVM without SMM the RAM behind the VGA window stays in one piece; newer QEMUs and SMM cut it."""
    fixtures = (PciDevice(driver="VGA"),)
    assert counts(board(fixtures=fixtures), running=True) == (10, 2)
    assert counts(board(fixtures=fixtures, smm=True), running=True) == (10, 3)
    assert counts(board(fixtures=fixtures, smm=True), running=False)[1] == 3
    assert counts(replace(board(fixtures=fixtures), window_needs_smm=False), running=True) == (10, 3)
    silent = (PciDevice(driver="VGA", props=(("romfile", ""),)),)
    in_smm = board(fixtures=silent, smm=True)
    assert [kvm_memslots(in_smm.view(running=True, in_smm=one)) for one in (False, True)] == [9, 8]


def test_vhost_sees_ram_that_nobody_logs() -> None:
    """Video memory is dirty-logged and goes to no vhost device; vhost in the kernel sees RAM without a descriptor."""
    memory = board(chipset="pc", fixtures=(PciDevice(driver="vmware-svga"), PciDevice(driver="acpi-erst")))
    view = memory.view(running=True)
    assert len(VhostBackend("vu0", 64).sections(view)) == 3
    assert len(VhostBackend("vsock0", 64, kernel=True).sections(view)) == 5


def test_every_numa_node_is_a_region() -> None:
    """Four nodes of 1 GiB on pc: 9 KVM memslots after the firmware."""
    nodes = tuple(MemoryBackend(id=f"n{one}", size=GiB, kind="memfd", share=True) for one in range(4))
    memory = board(
        chipset="pc",
        ram_backend=None,
        backends=nodes,
        numa=tuple(NumaNode(nodeid=index, memdev=one.id) for index, one in enumerate(nodes)),
    )
    assert counts(memory, running=True) == (9, 4)


@pytest.mark.parametrize(
    ("driver", "slots"),
    [(None, 7), ("VGA", 10), ("cirrus-vga", 9), ("bochs-display", 9), ("ramfb", 7), ("secondary-vga", 9)],
)
def test_ovmf(driver: str | None, slots: int) -> None:
    """OVMF leaves low memory as it was at reset, but for its VBE shim; two flash devices take a memslot each."""
    flash = tuple(PciDevice(driver="cfi.pflash01", id=f"pflash{unit}") for unit in range(2))
    fixtures = flash + ((PciDevice(driver=driver),) if driver else ())
    memory = board(fixtures=fixtures, smm=True, firmware_size=4 * MiB)
    assert kvm_memslots(memory.view(running=True)) == slots
