"""Consumers of memslots: vhost's filter and merge, limits, and how versions count."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st
from strategies import region_trees

from workbook.lib.consumers.vhost_backend import (
    UINT_MAX,
    VHOST_KERNEL_DEFAULT,
    VHOST_USER_BASELINE,
    GlobalVhostCount,
    PerDeviceVhostCount,
    VhostBackend,
    VhostCount,
    smallest_limit,
    u32,
)
from workbook.lib.memory.flatview import FlatRange, render
from workbook.lib.memory.region import MemoryRegion, RegionKind
from workbook.lib.size import GiB, KiB, MiB

USER = VhostBackend("vu0", 64)
KERNEL = VhostBackend("vk0", 64, kernel=True)
MEM0 = MemoryRegion.ram("mem0", 8 * GiB, has_fd=True)


def piece(
    start: int, size: int, offset: int | None = None, region: MemoryRegion = MEM0, *, unmergeable: bool = False
) -> FlatRange:
    return FlatRange(start, size, region, start if offset is None else offset, unmergeable=unmergeable)


def spans(backend: VhostBackend, *ranges: FlatRange) -> list[tuple[int, int]]:
    return [(one.start, one.end) for one in backend.sections(ranges)]


@pytest.mark.parametrize(
    ("region", "user", "kernel"),
    [
        (MEM0, True, True),
        (MemoryRegion.ram("anonymous", GiB), False, True),
        (MemoryRegion.ram("rom", GiB, has_fd=True, readonly=True), False, False),
        (MemoryRegion.io("io", GiB), False, False),
        (MemoryRegion("bar", GiB, RegionKind.RAMD), False, True),
        (MemoryRegion("flash", GiB, RegionKind.ROMD, has_fd=True), False, False),
        (replace(MEM0, dirty_log_mask=0b001), False, False),
        (replace(MEM0, dirty_log_mask=0b101), False, False),
        (replace(MEM0, dirty_log_mask=0b110), True, True),
    ],
)
def test_filter(region: MemoryRegion, user: bool, kernel: bool) -> None:
    """RAM that is no ROM and that VGA does not log; vhost-user needs a file descriptor besides."""
    section = FlatRange(0, GiB, region, 0)
    assert USER.accepts(section) is user
    assert KERNEL.accepts(section) is kernel


def test_f1_merges_again() -> None:
    """F1 as two sections: vhost fuses them by host address."""
    assert spans(USER, piece(0, GiB), piece(GiB, GiB)) == [(0, 2 * GiB)]


@pytest.mark.parametrize("which", [(True, False), (False, True), (True, True)])
def test_f2_unmergeable(which: tuple[bool, bool]) -> None:
    """F2: neither may be unmergeable."""
    first, second = which
    sections = piece(0, GiB, unmergeable=first), piece(GiB, GiB, unmergeable=second)
    for backend in (USER, KERNEL):
        assert backend.sections(sections) == sections


@pytest.mark.parametrize(
    "second",
    [
        piece(GiB, GiB, 2 * GiB),
        piece(2 * GiB, GiB),
        piece(GiB, GiB, 0, MemoryRegion.ram("mem1", GiB, has_fd=True)),
        piece(GiB, GiB, GiB, replace(MEM0, name="mem1")),
    ],
    ids=["F3 offset gap", "F4 hole", "F9 other backend", "F9 other backend, same offset"],
)
def test_f3_f4_f9_stay_two(second: FlatRange) -> None:
    """Other host addresses, a hole, or another region: two regions."""
    for backend in (USER, KERNEL):
        assert len(backend.sections((piece(0, GiB), second))) == 2


def test_f6_dirty_log_masks_do_not_matter() -> None:
    """F6: two ranges that differ in a harmless dirty-log mask only are one vhost region."""
    logged = replace(MEM0, dirty_log_mask=0b100)
    assert spans(USER, piece(0, GiB), piece(GiB, GiB, GiB, logged)) == [(0, 2 * GiB)]


def test_f8_hole_of_mmio() -> None:
    """F8: RAM around MMIO is two regions; MMIO none."""
    mmio = FlatRange(GiB, 4 * KiB, MemoryRegion.io("mmio", 4 * KiB), 0)
    assert spans(USER, piece(0, GiB), mmio, piece(GiB + 4 * KiB, GiB)) == [(0, GiB), (GiB + 4 * KiB, 2 * GiB + 4 * KiB)]


HUGE = replace(MEM0, page_size=2 * MiB)


def test_vhost_user_rounds_to_pages() -> None:
    """Two pieces of one huge page touch once they are rounded, for vhost-user alone."""
    ranges = piece(0, MiB, region=HUGE), piece(MiB + 4 * KiB, MiB, region=HUGE)
    assert spans(USER, *ranges) == [(0, 4 * MiB)]
    assert spans(KERNEL, *ranges) == [(one.start, one.end) for one in ranges]


def test_first_section_keeps_its_own_bounds() -> None:
    """A section that is not fused is passed on as it was, not rounded."""
    assert spans(USER, piece(4 * KiB, MiB, region=HUGE)) == [(4 * KiB, 4 * KiB + MiB)]


def test_incoherent_overlap_is_left_out() -> None:
    """A rounded section that overlaps the one before it with other host memory is reported and left out."""
    elsewhere = piece(MiB, MiB, 5 * MiB, HUGE)
    assert spans(USER, piece(0, MiB + 4 * KiB, region=HUGE), elsewhere) == [(0, MiB + 4 * KiB)]
    assert len(KERNEL.sections((piece(0, MiB, region=HUGE), elsewhere))) == 2


def test_before_the_previous_is_left_out() -> None:
    """A section that begins before the one before it, once rounded, is reported and left out."""
    assert spans(USER, piece(MiB, 4 * KiB, 3 * MiB, MEM0), piece(MiB + 4 * KiB, MiB, MiB + 4 * KiB, HUGE)) == [
        (MiB, MiB + 4 * KiB)
    ]


def test_unmergeable_slots_of_huge_pages_stay_apart() -> None:
    """Page-aligned memslots never meet the rounding: each is one region."""
    ranges = [piece(i * GiB, GiB, region=HUGE, unmergeable=True) for i in range(4)]
    assert list(USER.sections(ranges)) == ranges


@given(region_trees(4 * KiB))
def test_kernel_takes_all_writable_ram(tree: MemoryRegion) -> None:
    """vhost in the kernel gets exactly the writable RAM, in no more regions than the flat view has ranges."""
    view = render(tree)
    ram = [one for one in view if one.region.kind is RegionKind.RAM]
    sections = KERNEL.sections(view)
    assert len(sections) <= len(ram)
    assert sum(one.size for one in sections) == sum(one.size for one in ram)
    assert all(one.end <= following.start for one, following in pairwise(sections))
    # with base pages and a file descriptor everywhere vhost-user sees the same
    assert VhostBackend("vu0", 64).sections(one for one in view if one.region.has_fd) == KERNEL.sections(
        one for one in view if one.region.has_fd
    )


def test_defaults() -> None:
    """8 without CONFIGURE_MEM_SLOTS, 64 in the kernel."""
    assert (VHOST_USER_BASELINE, VHOST_KERNEL_DEFAULT, UINT_MAX) == (8, 64, 2**32 - 1)


@given(st.integers(-(1 << 40), 1 << 40))
def test_u32(value: int) -> None:
    """u32 is C's conversion to unsigned int."""
    assert 0 <= u32(value) <= UINT_MAX
    assert (u32(value) - value) % (1 << 32) == 0


@pytest.mark.parametrize("count", [GlobalVhostCount(), PerDeviceVhostCount()])
def test_no_backends(count: VhostCount) -> None:
    """Without vhost nothing is limited: 2^32 - 1."""
    assert count.free([]) == smallest_limit([]) == UINT_MAX


def test_smallest_limit() -> None:
    """The smallest of all back ends counts."""
    assert smallest_limit([VhostBackend("a", 509), VhostBackend("b", 8), VhostBackend("c", 64)]) == 8


A, B = VhostBackend("a", 64), VhostBackend("b", 16)


def test_global_count_last_commit_wins() -> None:
    """RFC: one counter; free is the smallest limit less whatever was committed last."""
    count = GlobalVhostCount()
    count.committed(A, 10)
    assert (count.used(A), count.used(B), count.free([A, B])) == (10, 10, 6)
    count.committed(B, 3)
    assert (count.used(A), count.free([A, B])) == (3, 13)


def test_global_count_wraps() -> None:
    """RFC: more used than the smallest limit wraps to almost 2^32."""
    count = GlobalVhostCount()
    count.committed(A, 22)
    assert count.free([A, B]) == 2**32 - 6


def test_global_count_forgets() -> None:
    """RFC: a removed or refused device sets the counter to 0, whoever is left."""
    count = GlobalVhostCount()
    count.committed(A, 22)
    count.removed(B)
    assert (count.used(A), count.free([A])) == (0, 64)


def test_global_count_without_backends() -> None:
    """RFC: without devices the counter is still subtracted."""
    count = GlobalVhostCount()
    count.committed(A, 5)
    assert count.free([]) == UINT_MAX - 5


def test_per_device_count() -> None:
    """Since June 2025: each device has its own count, free is the smallest remainder, never below 0."""
    count = PerDeviceVhostCount()
    count.committed(A, 60)
    count.committed(B, 3)
    assert (count.used(A), count.used(B), count.free([A, B])) == (60, 3, 4)
    count.committed(B, 22)
    assert count.free([A, B]) == 0
    count.removed(B)
    assert (count.used(A), count.used(B), count.free([A])) == (60, 0, 4)
