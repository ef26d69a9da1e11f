"""The real SeaBIOS on a real QEMU against the model's region tree."""

import random

import pytest

from workbook.live.qemu.binary import QemuBinary, usable_accel
from workbook.live.qemu.boot_memslots import BootDifference, compare_boot, main, random_line


@pytest.mark.qemu
def test_random_boards(qemu_binary: QemuBinary) -> None:
    """Random displays, network cards, ROMs and NUMA nodes: memslots and vhost regions after SeaBIOS are the model's."""
    choose = random.Random(20)
    found = [one for _ in range(10) for one in compare_boot(random_line(choose, "tcg"), qemu_binary)]
    assert not found, "\n".join(map(str, found))


@pytest.mark.qemu
def test_traced_by_kvm(qemu_binary: QemuBinary) -> None:
    """What KVM was told, one for one, after SeaBIOS with the default display and network card."""
    if usable_accel() != "kvm":
        pytest.skip("/dev/kvm cannot be opened")
    assert compare_boot("-accel kvm -machine pc -m 256M -vga none -device vmware-svga", qemu_binary) == []


def test_a_difference_names_its_line() -> None:
    """What is printed can be pasted into a shell."""
    assert str(BootDifference("-m 1G", "KVM memslots", 7, 8)) == "-m 1G\n  KVM memslots: QEMU 7, model 8"


def test_bad_calls(capsys: pytest.CaptureFixture[str]) -> None:
    """A QEMU that is not there is one line and exit status 2."""
    assert main(["--qemu", "/nowhere/qemu", "--examples", "1"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
