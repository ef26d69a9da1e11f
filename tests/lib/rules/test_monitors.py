"""Policies of other VMMs: count and size of memslots, and what is mapped when."""

import pytest

from workbook.lib import Machine
from workbook.lib.rules import get
from workbook.lib.size import GiB, MiB, TiB

LINE = (
    "qemu-system-x86_64 -accel kvm -M q35 -nodefaults -m 4G,maxmem=80G "
    "-object memory-backend-memfd,id=m,size=64G,share=on "
    "-device virtio-mem-pci,id=v,memdev=m,block-size=2M"
)


@pytest.mark.parametrize(
    ("name", "requested", "mapped"),
    [
        ("firecracker", 1 * GiB, 8),
        ("firecracker", 0, 0),
        ("cloud-hypervisor", 0, 1),
        ("dragonball", 0, 0),
        ("dragonball", 5 * GiB, 3),
        ("stratovirt", 64 * MiB, 32),
    ],
)
def test_mapped(name: str, requested: int, mapped: int) -> None:
    """64 GiB: Firecracker maps 128 MiB pieces, Dragonball 2 GiB pieces of the usable region, StratoVirt blocks."""
    vm = Machine.from_qemu_args(LINE, name)
    vm.request_size("v", requested)
    vm.settle("v")
    assert vm.kvm_used[0] - 7 == mapped


def test_dragonball_never_unmaps() -> None:
    """What was mapped stays mapped when the guest gives memory back."""
    vm = Machine.from_qemu_args(LINE, "dragonball")
    for size in (5 * GiB, 0):
        vm.request_size("v", size)
        vm.settle("v")
    vm.reset()
    assert vm.kvm_used[0] - 7 == 3


def test_counts() -> None:
    """64 GiB are 512 memslots of Firecracker; 1 TiB in StratoVirt's blocks of 32 MiB are 32,768."""
    budget = Machine.from_qemu_args(LINE, "firecracker").consumers.budget
    assert get("firecracker").decide(budget, 64 * GiB).count == 512
    assert get("stratovirt").decide(budget, TiB, 32 * MiB).count == 32768
