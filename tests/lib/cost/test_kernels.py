"""Kernel versions: what each changed."""

import pytest

from workbook.lib.cost.kernels import Kernel, allocates_by_vcalloc, kernel_release, memslot_limit
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.size import GiB, KiB, TiB


@pytest.mark.parametrize(
    ("kernel", "exact"),
    [
        ((5, 10), False),
        ((5, 10, 222), False),
        ((5, 10, 223), True),
        ((5, 17), False),
        ((5, 18), True),
        ((7, 3, 4), True),
    ],
)
def test_exact_to_the_page(kernel: Kernel, exact: bool) -> None:
    """All arrays come from vmalloc since 5.18, and in the stable series 5.10 since .223."""
    assert allocates_by_vcalloc(kernel) is exact
    assert KvmHost(kernel=kernel).page_exact is exact


def test_release() -> None:
    """A release has two numbers or three."""
    assert kernel_release("5.10.223-1-amd64") == (5, 10, 223)
    assert kernel_release("6.18-rc3") == (6, 18)


def test_memslot_limits() -> None:
    """KVM_CAP_NR_MEMSLOTS grew in 5.12."""
    old = {arch: memslot_limit(arch, (5, 11)) for arch in ("x86-64", "arm64", "s390x")}
    new = {arch: memslot_limit(arch, (5, 12)) for arch in ("x86-64", "arm64", "s390x", "riscv")}
    assert old == {"x86-64": 509, "arm64": 512, "s390x": 32}
    assert new == {"x86-64": 32764, "arm64": 32767, "s390x": 32767, "riscv": 32767}


def test_updates_copied_all_slots_before_5_17() -> None:
    """An update copied 88 bytes for each slot; since then each slot is an allocation of its own, of 512 bytes."""
    old, new = KvmHost(kernel=(5, 16)), KvmHost(kernel=(5, 17))
    assert old.copied_per_update(1000) == 88_000
    assert new.copied_per_update(1000) == 0
    around = new.metadata([GiB]).slab.bytes - old.metadata([GiB]).slab.bytes
    assert around == 512 - 88


@pytest.mark.parametrize("arch", ["arm64", "riscv", "s390x"])
def test_other_architectures_keep_no_arrays(arch: str) -> None:
    """Besides a slot structure of the slab class 256 there is a dirty bitmap only, also with nested guests."""
    host = KvmHost.from_json({"arch": arch, "nested": True})
    assert host.metadata([GiB] * 3).total == 0
    assert host.metadata([GiB] * 3).slab.bytes == 3 * 256
    assert host.metadata([TiB], dirty_log=True).total == 65_664 * KiB


def test_write_tracking_since_6_9_waits_for_a_vgpu() -> None:
    """The same build option costs half a GiB per TiB up to 6.8 and nothing since 6.9; a vGPU then costs it."""
    built = KvmHost(kernel=(6, 8), external_write_tracking=True)
    assert built.metadata([TiB]).total == 527_364 * KiB
    assert KvmHost(kernel=(6, 9)).metadata([TiB]).total == 2_052 * KiB
    assert KvmHost(kernel=(6, 9), external_write_tracking=True).metadata([TiB]).total == 527_364 * KiB


def test_private_memory_has_one_address_space() -> None:
    """SMM's second address space does not exist in a confidential VM."""
    assert KvmHost(smm=True, private_memory=True).metadata([TiB]).total == KvmHost().metadata([TiB]).total


def test_charged_to_the_cgroup() -> None:
    """The pages of the arrays are charged to the VMM's memory cgroup, their page lists are not."""
    cost = KvmHost(tdp_mmu=False).metadata([TiB], dirty_log=True)
    assert cost.charged == (8 << 28) + (8 << 19) + 8 * KiB + (2 << 28) + (4 << 19) + 4 * KiB + (64 << 20)
    assert cost.total - cost.charged == 2_698_396 * KiB - cost.charged > 0
