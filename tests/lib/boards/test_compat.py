"""Machine-type compatibility: the oldest table that a machine type has decides."""

import pytest

from workbook.lib.boards.compat import compat_property, compat_switch
from workbook.lib.machine import Machine
from workbook.lib.size import GiB, MiB

INACCESSIBLE = "virtio-mem.unplugged-inaccessible"


@pytest.mark.parametrize(
    ("version", "value"),
    [
        ((9, 0), None),
        ((8, 1), None),
        ((8, 0), "auto"),
        ((7, 0), "auto"),
        ((6, 2), "off"),
        ((2, 4), "off"),
        (None, None),
    ],
)
def test_the_oldest_table_holds(version: tuple[int, int] | None, value: str | None) -> None:
    """A machine type has all tables from its version on, and the last one that is applied is the oldest."""
    assert compat_property(INACCESSIBLE, version) == value


def test_switches_of_the_machine_class() -> None:
    """Only machine types up to 7.0 let memory lie in the range that AMD reserves."""
    assert not compat_switch("enforce_amd_1tb_hole", (7, 0), default=True)
    assert compat_switch("enforce_amd_1tb_hole", (7, 1), default=True)
    assert compat_switch("enforce_amd_1tb_hole", None, default=True)


def test_old_dimm_alignment() -> None:
    """On pc-i440fx-2.1 a DIMM is aligned to the target page, and slots= does not enlarge the container."""
    vm = Machine.from_qemu_args(
        "-machine pc-i440fx-2.1 -m 4G,slots=4,maxmem=8G -object memory-backend-ram,id=m0,size=6M "
        "-object memory-backend-ram,id=m1,size=6M -device pc-dimm,id=d0,memdev=m0 "
        "-device pc-dimm,id=d1,memdev=m1,addr=0x140601000",
        rules="qemu-8.2",
    )
    assert vm.board.device_memory_size == 4 * GiB
    assert [one.addr - vm.board.device_memory_base for one in vm.devices] == [0, 6 * MiB + 4096]
