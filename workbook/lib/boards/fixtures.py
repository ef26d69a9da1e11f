"""Guest memory of devices that are not memory devices: displays, network cards, flash, shared memory.

A display has a legacy VGA window, an option ROM and video memory behind a BAR; a network card has an option ROM. Each
was seen in ``info mtree -f`` of QEMU 10.0.2 after SeaBIOS 1.16.3, qxl apart, which is read from the source
(hw/display/qxl.c): Debian's package lacks it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from workbook.lib.memory.region import MemoryRegion
from workbook.lib.scenario import PciDevice
from workbook.lib.size import KiB, MiB, strtosz

__all__ = ("DIRTY_VGA", "FLASH", "OPTION_ROM", "Fixture", "RomPlace", "fixtures_of")

FLASH: Final = "cfi.pflash01"
"""Driver of a firmware flash (``-drive if=pflash``, ``-machine pflash0=``), as a fixture."""
OPTION_ROM: Final = "option-rom"
"""``-option-rom FILE``, as a fixture."""
DIRTY_VGA: Final = 1 << 0
"""A dirty-log mask with the bit of DIRTY_MEMORY_VGA (include/exec/ramlist.h)."""

_VGA_ROM: Final = 40 * KiB
"""vgabios-stdvga.bin and its kin have 39 KiB; SeaBIOS aligns option ROMs to 2 KiB (OPTION_ROM_ALIGN)."""
_LINEAR_ROM: Final = 28 * KiB
"""vgabios-bochs-display.bin; vgabios-ramfb.bin is half a KiB larger."""
_NIC_ROM: Final = 4 * KiB
"""What iPXE leaves in the option-ROM area; the rest moves to high memory while SeaBIOS initializes it."""
_NICS: Final = frozenset(
    "e1000 e1000-82540em e1000-82544gc e1000-82545em e1000e ne2k_pci pcnet rtl8139 virtio-net virtio-net-pci "
    "virtio-net-pci-non-transitional virtio-net-pci-transitional vmxnet3 i82550 i82551 i82557a i82557b i82557c "
    "i82558a i82558b i82559a i82559b i82559c i82559er i82562 i82801".split()
)
"""Network cards with an option ROM; igb, tulip and rocker have none."""


class RomPlace(Enum):
    """How an option ROM reaches the firmware: what decides whether and when SeaBIOS runs it."""

    NONE = auto()
    PRIMARY_DISPLAY = auto()
    """ROM BAR of a VGA-compatible function: only the first of them is run."""
    OTHER_DISPLAY = auto()
    """ROM BAR of another display: run where no VGA-compatible function stands, and only one."""
    DISPLAY_FILE = auto()
    """``vgaroms/`` of fw_cfg: every one is run."""
    PCI = auto()
    """ROM BAR of another function: run before kvmvapic."""
    FILE = auto()
    """``genroms/`` of fw_cfg, in descending order of names: run before kvmvapic where the name is the larger one."""


@dataclass(frozen=True, slots=True)
class Fixture:
    """Guest memory of one device.

    Attributes
    ----------
    window
        Whether it claims the legacy VGA window at 640 KiB.
    rom, rom_place
        Bytes that its option ROM keeps below 1 MiB, and how the firmware finds it.
    bars
        RAM that it shows once the firmware has placed its BARs.
    vbe_shim
        Whether OVMF puts its VBE shim at 0xc0000 for it (OvmfPkg/QemuVideoDxe; seen with OVMF 2022.11).
    bars_need_vga_bios
        Its BAR shows memory only once a VGA BIOS, its own or another card's, has set the VGA registers.
    """

    window: bool = False
    rom: int = 0
    rom_place: RomPlace = RomPlace.NONE
    bars: tuple[MemoryRegion, ...] = ()
    vbe_shim: bool = False
    bars_need_vga_bios: bool = False


def _video(name: str, size: int) -> MemoryRegion:
    """Return video memory: the display logs its dirty pages, so no vhost device sees it."""
    return replace(MemoryRegion.ram(name, size), dirty_log_mask=DIRTY_VGA)


def _vga(vram: int, *more: MemoryRegion, vbe_shim: bool = True) -> Fixture:
    bars = (_video("vga.vram", vram), *more)
    return Fixture(window=True, rom=_VGA_ROM, rom_place=RomPlace.PRIMARY_DISPLAY, bars=bars, vbe_shim=vbe_shim)


_QXL: Final = (
    MemoryRegion.ram("qxl.vram", 64 * MiB),
    MemoryRegion.ram("qxl.vrom", 8 * KiB, readonly=True),
)
_DISPLAYS: Final[Mapping[str, Fixture]] = {
    "VGA": _vga(16 * MiB),
    "ati-vga": _vga(16 * MiB),
    "cirrus-vga": replace(_vga(4 * MiB, vbe_shim=False), bars_need_vga_bios=True),
    "virtio-vga": _vga(8 * MiB),
    "virtio-vga-gl": _vga(8 * MiB),
    "vhost-user-vga": _vga(8 * MiB),
    "vmware-svga": _vga(16 * MiB, MemoryRegion.ram("vmsvga.fifo", 64 * KiB)),
    "qxl-vga": _vga(64 * MiB, *_QXL),
    "qxl": Fixture(bars=(_video("qxl.vgavram", 64 * MiB), *_QXL), vbe_shim=True),
    "secondary-vga": Fixture(bars=(_video("vga.vram", 16 * MiB),), vbe_shim=True),
    "bochs-display": Fixture(
        rom=_LINEAR_ROM,
        rom_place=RomPlace.OTHER_DISPLAY,
        bars=(_video("bochs-display-vram", 16 * MiB),),
        vbe_shim=True,
    ),
    "ramfb": Fixture(rom=_LINEAR_ROM, rom_place=RomPlace.DISPLAY_FILE),
    "isa-vga": Fixture(window=True, rom=_VGA_ROM, rom_place=RomPlace.DISPLAY_FILE, bars=(_video("vga.vram", 8 * MiB),)),
    # its video memory is reached through the window alone
    "isa-cirrus-vga": Fixture(window=True, rom=_VGA_ROM, rom_place=RomPlace.DISPLAY_FILE),
}
_BEHIND_FW_CFG: Final = {
    RomPlace.PRIMARY_DISPLAY: RomPlace.DISPLAY_FILE,
    RomPlace.OTHER_DISPLAY: RomPlace.FILE,
    RomPlace.PCI: RomPlace.FILE,
}
"""Where ``rombar=0`` moves an option ROM (``pci_add_option_rom``, hw/pci/pci.c)."""
_NIC_ROM_FILES: Final = {"virtio": "efi-virtio.rom", "i8": "pxe-eepro100.rom"}
"""Default ROM files by the start of a driver's name, where they are not ``efi-DRIVER.rom``."""
_KVMVAPIC: Final = "kvmvapic.bin"


def fixtures_of(devices: Iterable[PciDevice], backends: Mapping[str, MemoryRegion]) -> tuple[Fixture, ...]:
    """Return what each device puts into guest memory; devices that put nothing there are left out.

    Parameters
    ----------
    devices
        In the order in which the firmware finds them.
    backends
        RAM of the memory backends that devices may name by ``memdev``.
    """
    return tuple(found for one in devices if (found := _fixture_of(one, backends)) is not None)


def _fixture_of(device: PciDevice, backends: Mapping[str, MemoryRegion]) -> Fixture | None:
    driver = device.driver
    if driver in _DISPLAYS:
        return _with_rom(device, _sized(device, _DISPLAYS[driver]))
    if driver in _NICS:
        return _with_rom(device, Fixture(rom=_NIC_ROM, rom_place=RomPlace.PCI))
    if driver == OPTION_ROM:
        return _with_rom(device, Fixture(rom=_LINEAR_ROM, rom_place=RomPlace.FILE))
    bars = tuple(_ram_bars(device, backends))
    return Fixture(bars=bars) if bars else None


def _sized(device: PciDevice, fixture: Fixture) -> Fixture:
    """Take over the video memory's size where it is given."""
    given = device.prop("vgamem_mb") or device.prop("vgamem")
    size = strtosz(given + "M" if device.prop("vgamem_mb") else given) if given else None
    if not size or not fixture.bars:
        return fixture
    first, *rest = fixture.bars
    return replace(fixture, bars=(replace(first, size=1 << (size - 1).bit_length()), *rest))


def _with_rom(device: PciDevice, fixture: Fixture) -> Fixture:
    """Apply ``romfile=`` and ``rombar=`` to what the device brings by itself."""
    romfile = device.prop("romfile")
    if romfile == "":
        return replace(fixture, rom=0, rom_place=RomPlace.NONE)
    place = fixture.rom_place
    if (device.prop("rombar") or "").strip() == "0":
        place = _BEHIND_FW_CFG.get(place, place)
    if place is RomPlace.FILE and _rom_name(device, romfile) < _KVMVAPIC:
        place = RomPlace.NONE
    return replace(fixture, rom_place=place)


def _rom_name(device: PciDevice, romfile: str | None) -> str:
    """Return the name by which SeaBIOS sorts an option ROM of fw_cfg."""
    if romfile:
        return romfile.rpartition("/")[2]
    if device.driver == "bochs-display":
        return "vgabios-bochs-display.bin"
    return next((name for start, name in _NIC_ROM_FILES.items() if device.driver.startswith(start)), "efi.rom")


def _ram_bars(device: PciDevice, backends: Mapping[str, MemoryRegion]) -> Iterator[MemoryRegion]:
    match device.driver:
        case "ivshmem-plain":
            backend = backends.get(device.prop("memdev") or "")
            if backend is not None:
                yield backend
        case "ivshmem-doorbell":
            # the server's memory: a file descriptor, so that vhost-user sees it (hw/misc/ivshmem-pci.c)
            yield MemoryRegion.ram("ivshmem.bar2", 4 * MiB, has_fd=True)
        case "acpi-erst":
            yield MemoryRegion.ram("erst.exchange", 8 * KiB)
