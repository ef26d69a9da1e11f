"""Firmware's part before a driver can start: halting ROM, memory attributes, PCI configuration, BARs.

QEMU runs no guest here. A ROM that only halts keeps the guest CPU out of the way; this module does by qtest what
SeaBIOS would have done, as far as memslots can see it.
"""

from dataclasses import dataclass
from typing import Final

from .host_bridge import HostBridge

__all__ = ("PciFunction", "halting_rom", "set_memory_attributes")

_RESET_VECTOR: Final = 0x10
"""Bytes from the end of the ROM, which ends at 4 GiB and, its last 128 KiB, at 1 MiB."""
_CLI_HLT_LOOP: Final = bytes((0xFA, 0xF4, 0xEB, 0xFD))
"""x86: cli; hlt; jmp to the hlt, for the case of a non-maskable interrupt."""

_PAM: Final = {0x29C0: 0x90, 0x1237: 0x59}
"""First memory attribute register by device id of function 00:00.0: Q35's memory controller, and the 440FX."""
_PAM_AFTER_SEABIOS: Final = bytes((0x10, 0x31, 0x33, 0x33, 0x33, 0x33, 0x33))

_COMMAND: Final = 0x04
_MEMORY_AND_BUS_MASTER: Final = 0x06
_BAR0: Final = 0x10
_BAR_64_BIT: Final = 0x04

WINDOW_SIZE: Final = 64 << 10
"""Room for the BAR of each PCI function."""


def halting_rom(size: int) -> bytes:
    """Return a ROM image of `size` bytes for ``-bios``: ``hlt`` everywhere, an endless halt at the reset vector."""
    rom = bytearray(b"\xf4" * size)
    start = size - _RESET_VECTOR
    rom[start : start + len(_CLI_HLT_LOOP)] = _CLI_HLT_LOOP
    return bytes(rom)


def set_memory_attributes(bridge: HostBridge) -> None:
    """Leave the memory below 1 MiB as SeaBIOS leaves it where there is no option ROM.

    0xc0000-0xc3fff and 0xf0000-0xfffff read-only RAM, the rest between them RAM (SeaBIOS, src/fw/shadow.c). Two
    32-bit writes, as SeaBIOS does: KVM then sees seven memslots and a vhost-user backend two regions for boot RAM.
    """
    vendor_device = int.from_bytes(bridge.read(0, 0, 4), "little")
    first = _PAM.get(vendor_device >> 16)
    if first is None:  # a machine without such registers (microvm, virt): nothing to do
        return
    aligned = first & ~3
    registers = bytearray(bridge.read(0, aligned, 8))
    start = first - aligned
    registers[start : start + len(_PAM_AFTER_SEABIOS)] = _PAM_AFTER_SEABIOS
    for offset in (0, 4):
        bridge.write(0, aligned + offset, int.from_bytes(registers[offset : offset + 4], "little"))


@dataclass(frozen=True, slots=True)
class PciFunction:
    """A PCI function on bus 0.

    Parameters
    ----------
    bridge
        The way to its configuration space.
    number
        Slot * 8 + function number.
    """

    bridge: HostBridge
    number: int

    def config(self) -> bytes:
        """Return the 256 bytes of conventional configuration space."""
        return self.bridge.read(self.number, 0, 256)

    def map_bar(self, bar: int) -> int:
        """Place a memory BAR in this function's window, let the function decode it and do DMA; return its address."""
        register = _BAR0 + 4 * bar
        address = self.bridge.window + self.number * WINDOW_SIZE
        self.bridge.write(self.number, register, 0xFFFFFFFF)
        probe = int.from_bytes(self.bridge.read(self.number, register, 4), "little")
        size = (~(probe & ~0xF) & 0xFFFFFFFF) + 1
        if size > WINDOW_SIZE:
            raise ValueError(
                f"BAR {bar} of PCI function {self.number:#x} has {size:#x} bytes, room is {WINDOW_SIZE:#x}"
            )
        self.bridge.write(self.number, register, address)
        if probe & _BAR_64_BIT:
            self.bridge.write(self.number, register + 4, 0)
        self.bridge.write(self.number, _COMMAND, _MEMORY_AND_BUS_MASTER, 2)
        return address
