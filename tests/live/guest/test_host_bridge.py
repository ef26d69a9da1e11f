"""How drivers reach PCI: which way a board has, and what goes over the wire."""

from collections.abc import Iterable

import pytest

from workbook.live.guest.host_bridge import Ecam, PcPorts, host_bridge
from workbook.live.guest.pci import PciFunction
from workbook.live.guest.qtest import Qtest

VIRT = """  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000010000000-000000003efeffff (prio 0, i/o): alias pcie-mmio @gpex_mmio_window 0000000010000000-000000003efeffff
    0000004010000000-000000401fffffff (prio 0, i/o): alias pcie-ecam @pcie-mmcfg-mmio 0000000000000000-000000000fffffff
"""
Q35 = "    00000000b0000000-00000000bfffffff (prio 0, i/o): pcie-mmcfg-mmio\n"


class Wire(Qtest):
    """A qtest connection to memory that is all `fill`."""

    def __init__(self, fill: int = 0xFF) -> None:
        self.sent: list[str] = []
        self._fill = fill

    def run(self, commands: Iterable[str]) -> list[str]:
        """Answer reads with `fill`."""
        lines = list(commands)
        self.sent += lines
        return [
            f"0x{bytes([self._fill] * int(line.split()[2], 16)).hex()}" if line.startswith("read ") else ""
            for line in lines
        ]


def test_a_board_with_ecam_is_seen() -> None:
    """virt shows where its ECAM is mapped; a PC has its ports, also with memory-mapped configuration."""
    wire = Wire()
    assert isinstance(host_bridge(wire, VIRT), Ecam)
    assert isinstance(host_bridge(wire, Q35), PcPorts)


def test_ecam_addresses() -> None:
    """A function has 4 KiB; reads are whole words, of which the bytes asked for are returned."""
    wire = Wire()
    bridge = host_bridge(wire, VIRT)
    assert bridge.read(3 << 3, 0x0E, 1) == b"\xff"
    bridge.write(3 << 3 | 1, 0x04, 6, 2)
    assert wire.sent == ["read 0x401001800c 0x4", "writew 0x4010019004 0x6"]


def test_a_bar_goes_into_the_boards_window() -> None:
    """BARs lie where the board has room: on virt in its MMIO window, 64 KiB for a function."""
    wire = Wire(0)
    with pytest.raises(ValueError, match="room is"):  # a BAR whose size bits are all 0 has 4 GiB
        PciFunction(host_bridge(wire, VIRT), 2 << 3).map_bar(4)
    assert wire.sent[0] == "writel 0x4010010020 0xffffffff"
    assert (Ecam.window, Ecam.ram) == (0x1000_0000, 0x4000_0000)
