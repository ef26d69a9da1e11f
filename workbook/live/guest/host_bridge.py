"""How a driver reaches PCI configuration space: ports of a PC, or the memory-mapped ECAM of other boards.

Where BARs and virtqueues can go differs with it: both depend on the board's memory map.
"""

import re
from typing import Final, Protocol

from .qtest import Qtest, read, unhex

__all__ = ("Ecam", "HostBridge", "PcPorts", "host_bridge")

_CONFIG_ADDRESS: Final = 0xCF8
_CONFIG_DATA: Final = 0xCFC
_ECAM = re.compile(r"^ *(?P<start>[0-9a-f]{16})-[0-9a-f]{16} \(prio .*\): alias pcie-ecam @", re.MULTILINE)


class HostBridge(Protocol):
    """Access to bus 0 of a board; a function's number is slot * 8 + function.

    Attributes
    ----------
    qtest
        Connection to its QEMU.
    window
        Guest-physical address from which on BARs are placed.
    ram
        Where boot RAM starts.
    """

    @property
    def qtest(self) -> Qtest:
        """Connection to its QEMU."""

    @property
    def window(self) -> int:
        """Where BARs go."""

    @property
    def ram(self) -> int:
        """Where boot RAM starts."""

    def read(self, function: int, register: int, size: int) -> bytes:
        """Read configuration space."""

    def write(self, function: int, register: int, value: int, size: int = 4) -> None:
        """Write 1, 2 or 4 bytes into configuration space."""


class PcPorts:
    """The I/O ports of a PC (configuration mechanism 1); BARs lie above all RAM below 4 GiB, below the I/O APIC."""

    window: Final = 0xFC00_0000
    ram: Final = 0

    def __init__(self, qtest: Qtest) -> None:
        self.qtest: Final = qtest

    def read(self, function: int, register: int, size: int) -> bytes:
        """Read configuration space, by words of 32 bits."""
        first = register & ~3
        commands = []
        for address in range(first, register + size, 4):
            commands += [_select(function, address), f"inl {_CONFIG_DATA:#x}"]
        answers = self.qtest.run(commands)[1::2]
        content = b"".join(int(answer, 16).to_bytes(4, "little") for answer in answers)
        return content[register - first :][:size]

    def write(self, function: int, register: int, value: int, size: int = 4) -> None:
        """Write 1, 2 or 4 bytes into configuration space."""
        port = _CONFIG_DATA + (register & 3)
        self.qtest.run([_select(function, register), f"out{'_bw_l'[size]} {port:#x} {value:#x}"])


def _select(function: int, register: int) -> str:
    return f"outl {_CONFIG_ADDRESS:#x} {1 << 31 | function << 8 | register & ~3:#x}"


class Ecam:
    """ECAM of aarch64's ``virt``: 4 KiB of memory for each function (PCI Express, 7.2.2).

    Parameters
    ----------
    base
        Guest-physical address of bus 0.
    """

    window: Final = 0x1000_0000
    """VIRT_PCIE_MMIO (hw/arm/virt.c)."""
    ram: Final = 0x4000_0000
    """VIRT_MEM."""

    def __init__(self, qtest: Qtest, base: int) -> None:
        self.qtest: Final = qtest
        self._base = base

    def read(self, function: int, register: int, size: int) -> bytes:
        """Read configuration space, by words of 32 bits."""
        first = register & ~3
        words = [read(self._at(function, address), 4) for address in range(first, register + size, 4)]
        content = b"".join(map(unhex, self.qtest.run(words)))
        return content[register - first :][:size]

    def write(self, function: int, register: int, value: int, size: int = 4) -> None:
        """Write 1, 2 or 4 bytes into configuration space."""
        self.qtest.run([f"write{'_bw_l'[size]} {self._at(function, register):#x} {value:#x}"])

    def _at(self, function: int, register: int) -> int:
        return self._base + (function << 12) + register


def host_bridge(qtest: Qtest, info_mtree: str) -> HostBridge:
    """Return the way to the PCI bus of a board, by what the monitor's ``info mtree`` shows of it."""
    found = _ECAM.search(info_mtree)
    return PcPorts(qtest) if found is None else Ecam(qtest, int(found["start"], 16))
