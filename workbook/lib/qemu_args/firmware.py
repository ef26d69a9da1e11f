"""Firmware: how large its image is decides how RAM below 1 MiB is cut; flash takes memslots of its own.

Sources: hw/i386/pc_sysfw.c, hw/i386/x86-common.c (QEMU 10.0); sizes of the images that distributions ship.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from workbook.lib.notes import Note
from workbook.lib.scenario import PciDevice
from workbook.lib.size import KiB, MiB

from .syntax import split_opts

__all__ = ("FIRMWARE_SIZES", "Firmware", "FirmwareImage")

FIRMWARE_SIZES: Final[dict[str, int]] = {
    "bios.bin": 128 * KiB,
    "bios-256k.bin": 256 * KiB,
    "bios-microvm.bin": 128 * KiB,
    "qboot.rom": 64 * KiB,
}
"""Images that QEMU ships, bytes."""
_OVMF: Final = 4 * MiB
"""OVMF's code and variables together, as today's 4M builds have them; 2M builds behave the same above 128 KiB."""


@dataclass(frozen=True, slots=True)
class FirmwareImage:
    """Size of the image in bytes (None: SeaBIOS), flash devices, and what was assumed."""

    size: int | None
    flashes: tuple[PciDevice, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass
class Firmware:
    """``-bios``, ``-pflash`` and ``-drive if=pflash``."""

    bios: str | None = None
    drives: dict[int, str] = field(default_factory=dict)

    def take(self, option: str, value: str) -> None:
        """Take one option that may name a firmware."""
        if option == "bios":
            self.bios = value
        elif option == "pflash":
            self.drives[len(self.drives)] = value
        else:
            given = split_opts(value, "file")[0]
            if given.get("if") == "pflash":
                unit = given.get("unit", "")
                self.drives[int(unit) if unit.isdigit() and len(unit) < 4 else len(self.drives)] = given.get("file", "")

    def of_machine(self, options: Mapping[str, str]) -> FirmwareImage:
        """Return the firmware of a machine whose options may name flash by block node."""
        units = {unit: path for unit, path in self.drives.items() if unit in (0, 1)}
        for unit in (0, 1):
            if options.get(f"pflash{unit}"):
                units[unit] = options[f"pflash{unit}"]
        flashes = tuple(PciDevice(driver="cfi.pflash01", id=f"pflash{unit}") for unit in sorted(units))
        if 0 in units:
            note = Note("assumed", f"the flash image {units[0]} has {_OVMF} bytes: its file cannot be seen", "pflash0")
            return FirmwareImage(_OVMF, flashes, (note,))
        path = options.get("firmware", self.bios)
        if path is None:
            return FirmwareImage(None, flashes)
        name = path.rpartition("/")[2]
        if name in FIRMWARE_SIZES:
            return FirmwareImage(FIRMWARE_SIZES[name], flashes)
        note = Note("assumed", f"the firmware {path} has 128 KiB or more: its file cannot be seen", "-bios")
        return FirmwareImage(_OVMF if "OVMF" in name.upper() else None, flashes, (note,))
