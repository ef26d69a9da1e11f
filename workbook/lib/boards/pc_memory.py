"""A PC's memory around the memory devices, as a tree of regions: what takes memslots before any device does.

The tree is that of hw/i386/pc.c, pc_sysfw.c, hw/pci-host/i440fx.c, q35.c and pam.c (QEMU 10.0), at two moments: while
the devices of the command line are made, and once the firmware has run. What is counted is what its flat view shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from workbook.lib.memory.flatview import FlatView, render
from workbook.lib.memory.region import ADDRESS_SPACE_SIZE, MemoryRegion
from workbook.lib.scenario import PciDevice, Scenario
from workbook.lib.size import GiB, KiB, MiB, TiB, round_up

from .fixtures import FLASH, Fixture, RomPlace, fixtures_of
from .pc import PcLayout

__all__ = ("PcMemory", "kvm_memslots")

_PAGE: Final = 4 * KiB
_WINDOW, _WINDOW_END = 0xA_0000, 0xC_0000
"""The legacy VGA window, which is also where SMRAM lies."""
_ROMS, _ROMS_END = 0xC_0000, 0xE_0000
"""Option ROMs (PC_ROM_MIN_VGA, PC_ROM_SIZE)."""
_BIOS, _END = 0xF_0000, 0x10_0000
"""The system BIOS below 1 MiB; the PAM registers cut what lies before it into pieces of 16 KiB."""
_ISA_BIOS: Final = 128 * KiB
"""At most so much of the firmware is seen below 1 MiB (``pc_isa_bios_init``, ``x86_isa_bios_init``)."""
_LOCKED_END: Final = 0xE_4000
"""SeaBIOS write-protects option ROMs up to here (src/fw/shadow.c). Its own allocations move the border by 16 or 32 KiB,
which changes no count."""
_KVMVAPIC: Final = 9 * KiB
"""kvmvapic.bin, an option ROM of QEMU that is writable: pages of RAM in the middle of read-only ones."""
_VBE_SHIM: Final = 16 * KiB
_ROM_ALIGN: Final = 2 * KiB
_HARNESS_ROM: Final = 16 * KiB
"""What the harness of recordings write-protects where SeaBIOS has its option ROMs (workbook/live/guest/pci.py)."""
_VAPIC_PRIORITY: Final = 1000
"""hw/i386/vapic.c maps the writable ROM above everything."""

_Access = Literal["pci", "rom", "ram"]


@dataclass(frozen=True)
class PcMemory:
    """The memory of a PC without its memory devices.

    Attributes
    ----------
    layout
        Where its RAM lies.
    backends
        RAM of the memory backends by id: the boot RAM's, and what fixtures show of them.
    window_needs_smm
        On q35 the VGA window is in front of RAM only in machines with SMM (`QemuBehaviour.q35_window_needs_smm`).
    apic
        The CPU has a local APIC: without one QEMU loads no kvmvapic.
    """

    scenario: Scenario
    layout: PcLayout
    backends: Mapping[str, MemoryRegion]
    window_needs_smm: bool = True
    apic: bool = True

    def view(self, *, running: bool, in_smm: bool = False) -> FlatView:
        """Return what an address space shows.

        Parameters
        ----------
        running
            After the firmware; otherwise while the devices of the command line are made.
        in_smm
            As a CPU in system-management mode sees it: with SMRAM instead of the VGA window.
        """
        ram = self._ram()
        low = MemoryRegion.alias_of(ram, "ram-below-4g", 0, self.layout.below_4g)
        regions = [low]
        if self.layout.above_4g:
            high = MemoryRegion.alias_of(ram, "ram-above-4g", self.layout.below_4g, self.layout.above_4g)
            regions.append(high.at(self.layout.above_4g_start))
        pci = self._pci(running=running)
        regions.append(pci.at(0, priority=-1))
        if self._has_window and not in_smm:
            window = MemoryRegion.alias_of(pci, "smram-region", _WINDOW, _WINDOW_END - _WINDOW)
            regions.append(window.at(_WINDOW, priority=1))
        # the registers of a q35 are looked at with its first reset only
        if running or self.scenario.chipset == "pc":
            regions += [self._piece(ram, pci, *one) for one in self._attributes(running=running)]
        if running:
            regions += self._kvmvapic(ram)
        return render(MemoryRegion.container("system", ADDRESS_SPACE_SIZE, regions))

    # -- what lies where ------------------------------------------------------------------------------------------

    def _ram(self) -> MemoryRegion:
        pieces, at = [], 0
        for backend, size in self.scenario.ram_backends:
            one = MemoryRegion.ram("pc.ram", size) if backend is None else self.backends[backend.id]
            pieces.append(one.at(at))
            at += size
        return pieces[0] if len(pieces) == 1 else MemoryRegion.container("pc.ram", at, pieces)

    @property
    def _fixtures(self) -> tuple[Fixture, ...]:
        found = self.scenario.fixtures or ((PciDevice(driver="VGA"),) if self.scenario.display else ())
        return fixtures_of(found, self.backends)

    @property
    def _firmware_kind(self) -> Literal["seabios", "uefi", "halting"]:
        return self.scenario.firmware or ("uefi" if self._flash_units else "seabios")

    @property
    def _flash_units(self) -> int:
        return sum(1 for one in self.scenario.fixtures if one.driver == FLASH)

    @property
    def _has_window(self) -> bool:
        return self.scenario.chipset == "pc" or self.scenario.smm or not self.window_needs_smm

    def _pci(self, *, running: bool) -> MemoryRegion:
        """Return the PCI address space: ROMs, flash, the VGA window, and BARs once they are placed."""
        regions = [MemoryRegion.ram("pc.rom", _ROMS_END - _ROMS, readonly=True).at(_ROMS, priority=1)]
        regions += self._firmware()
        fixtures = self._fixtures
        if any(one.window for one in fixtures):
            regions.append(MemoryRegion.io("vga-lowmem", _WINDOW_END - _WINDOW).at(_WINDOW, priority=1))
        if not running or self._firmware_kind == "halting":
            return MemoryRegion.container("pci", ADDRESS_SPACE_SIZE, regions)
        if self._firmware_kind == "uefi":
            # in graphics mode the first half of the window is video memory
            video = next((one.bars[0] for one in fixtures if one.window and one.bars), None)
            if video is not None:
                alias = MemoryRegion.alias_of(video, "vga.chain4", 0, 64 * KiB)
                regions.append(alias.at(_WINDOW, priority=2))
        at = TiB * 4
        lit = self._firmware_kind == "uefi" or any(one.window for one in _option_roms_run(fixtures))
        for bar in (bar for one in fixtures if lit or not one.bars_need_vga_bios for bar in one.bars):
            at = round_up(at, max(MiB, 1 << (bar.size - 1).bit_length()))
            regions.append(bar.at(at, priority=1))
            at += bar.size + GiB
        return MemoryRegion.container("pci", ADDRESS_SPACE_SIZE, regions)

    def _firmware(self) -> list[MemoryRegion]:
        size = self.scenario.firmware_size
        isa = min(size, _ISA_BIOS)
        below = MemoryRegion.ram("isa-bios", isa, readonly=True).at(_END - isa, priority=1)
        if not self._flash_units:
            return [MemoryRegion.ram("pc.bios", size, readonly=True).at(4 * GiB - size), below]
        flash = [
            MemoryRegion.ram(f"system.flash{unit}", size, readonly=True).at(4 * GiB - (unit + 1) * size)
            for unit in range(self._flash_units)
        ]
        return [*flash, below]

    def _attributes(self, *, running: bool) -> list[tuple[int, int, _Access]]:
        """Return what the PAM registers make of the memory from 0xc0000 to 1 MiB: (start, end, access)."""
        if not running:
            return [(_ROMS, _END, "pci")]
        match self._firmware_kind:
            case "halting":
                locked = _ROMS + _HARNESS_ROM
            case "seabios":
                locked = _LOCKED_END
            case "uefi":
                shim = _ROMS + (_VBE_SHIM if any(one.vbe_shim for one in self._fixtures) else 0)
                return [(_ROMS, shim, "rom"), (shim, _END, "pci")]
        return [(_ROMS, locked, "rom"), (locked, _BIOS, "ram"), (_BIOS, _END, "rom")]

    def _piece(self, ram: MemoryRegion, pci: MemoryRegion, start: int, end: int, access: _Access) -> MemoryRegion:
        target = pci if access == "pci" else ram
        alias = MemoryRegion.alias_of(target, f"pam-{access}", start, end - start)
        return replace(alias, readonly=access == "rom").at(start, priority=1)

    def _kvmvapic(self, ram: MemoryRegion) -> list[MemoryRegion]:
        """Return the pages of the option ROM that is writable, behind the ROMs that run before it."""
        if self._firmware_kind != "seabios" or not self.apic:
            return []
        start = _ROMS + sum(round_up(one.rom, _ROM_ALIGN) for one in _option_roms_run(self._fixtures))
        end = start + _KVMVAPIC
        if end > _LOCKED_END:
            return []  # SeaBIOS has no room for it
        first = start - start % _PAGE
        alias = MemoryRegion.alias_of(ram, "kvmvapic-rom", first, round_up(end, _PAGE) - first)
        return [alias.at(first, priority=_VAPIC_PRIORITY)]


def _option_roms_run(fixtures: Sequence[Fixture]) -> list[Fixture]:
    """Return whose option ROMs SeaBIOS runs before kvmvapic's (src/optionroms.c)."""
    # the first VGA-compatible function, else the first other display with a ROM; its ROM is the only one of displays
    primary = next((one for one in fixtures if one.window and one.rom_place is not RomPlace.DISPLAY_FILE), None)
    if primary is None:
        primary = next((one for one in fixtures if one.rom_place is RomPlace.OTHER_DISPLAY), None)
    every = {RomPlace.DISPLAY_FILE, RomPlace.FILE, RomPlace.PCI}
    run = [one for one in fixtures if one.rom_place in every]
    run += [primary] if primary is not None and primary.rom_place is not RomPlace.NONE else []
    return run


def kvm_memslots(view: FlatView) -> int:
    """Count the KVM memslots of a flat view: RAM and ROM of at least one whole page (``kvm_set_phys_mem``)."""
    count = 0
    for start, size, region, *_ in view.ranges:
        first, end = (start + _PAGE - 1) // _PAGE, (start + size) // _PAGE
        count += first < end and region.is_ram
    return count
