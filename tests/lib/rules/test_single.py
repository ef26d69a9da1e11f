"""One memslot for the whole device, always mapped."""

import pytest
from hypothesis import given, strategies as st

from workbook.lib.machine.machine import Machine
from workbook.lib.rules import Budget, get
from workbook.lib.size import GiB, MiB

SINGLE = get("single")


@given(blocks=st.integers(1, 1 << 22), free=st.integers(0, 32764), user=st.integers(0, 65535))
def test_always_one(blocks: int, free: int, user: int) -> None:
    """Whatever the size, the free memslots and the user's limit: one memslot of the device's size."""
    budget = Budget(device_memory_size=1 << 50, kvm_max=32764, kvm_free=free)
    decision = SINGLE.decide(budget, blocks * 2 * MiB, 2 * MiB, user)
    assert (decision.limit, decision.count, decision.memslot_size) == (1, 1, blocks * 2 * MiB)


@pytest.mark.parametrize("props", ["", ",dynamic-memslots=off", ",dynamic-memslots=on", ",max-memslots=7"])
def test_mapped_directly_and_completely(props: str) -> None:
    """Neither container nor alias; requests, plugging and resets change nothing in the view."""
    vm = Machine.from_qemu_args(
        "-machine pc -m 4G,maxmem=64G -object memory-backend-ram,id=mem0,size=16G "
        f"-device virtio-mem-pci,id=vm0,memdev=mem0{props}",
        rules="single",
    )
    lines = [
        "    0000000140000000-000000103fffffff (prio 0, i/o): device-memory",
        "      0000000140000000-000000053fffffff (prio 0, ram): mem0",
    ]
    assert vm.info_mtree().splitlines() == lines
    view = vm.view
    vm.request_size("vm0", 8 * GiB)
    vm.settle("vm0")
    assert vm.config_space("vm0")["plugged_size"] == 8 * GiB
    vm.reset()
    assert vm.info_mtree().splitlines() == lines
    assert vm.view == view


def test_uses_one_memslot() -> None:
    """It is used from the start, nothing is reserved."""
    vm = Machine.from_qemu_args(
        "-accel kvm -m 4G,maxmem=64G -object memory-backend-ram,id=mem0,size=16G "
        "-device virtio-mem-pci,id=vm0,memdev=mem0",
        rules="single",
    )
    assert (vm.budget.required, vm.budget.used, vm.budget.reserved) == (1, 1, 0)
