"""Rendering: priorities, aliases, merging, and what listeners see."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from strategies import region_trees

from workbook.lib.memory.flatview import ChangeKind, FlatRange, FlatView, render
from workbook.lib.memory.region import ADDRESS_SPACE_SIZE, MemoryRegion, RegionKind
from workbook.lib.size import GiB, KiB, MiB

Shown = tuple[MemoryRegion, int, bool, bool, bool]


def shown(view: FlatView) -> list[tuple[int, int, str, int]]:
    return [(one.start, one.end, one.region.name, one.offset) for one in view]


def looked_up(
    region: MemoryRegion, address: int, flags: tuple[bool, bool, bool] = (False, False, False)
) -> Shown | None:
    """Say what one address shows, straight from the rules of docs/devel/memory.rst."""
    offset = address - region.addr
    return looked_up_inside(region, offset, flags) if 0 <= offset < region.size else None


def looked_up_inside(region: MemoryRegion, offset: int, flags: tuple[bool, bool, bool]) -> Shown | None:
    if not region.enabled or not 0 <= offset < region.size:
        return None
    own = (region.readonly, region.nonvolatile, region.unmergeable)
    readonly, nonvolatile, unmergeable = (a or b for a, b in zip(flags, own, strict=True))
    flags = (readonly, nonvolatile, unmergeable)
    if region.target is not None:
        return looked_up_inside(region.target, offset + region.target_offset, flags)
    for child in region.subregions:
        found = looked_up(child, offset, flags)
        if found:
            return found
    return (region, offset, *flags) if region.terminates else None


def painted(view: FlatView, address: int) -> Shown | None:
    one = view.at(address)
    return one and (one.region, one.offset + address - one.start, one.readonly, one.nonvolatile, one.unmergeable)


def test_overlap_example() -> None:
    """The overlap example of docs/devel/memory.rst: A holds B (prio 2, with D and E) over C (prio 1)."""
    d, e = MemoryRegion.io("D", 0x1000), MemoryRegion.io("E", 0x1000)
    b = MemoryRegion.container("B", 0x4000, [d.at(0), e.at(0x2000)]).at(0x2000, priority=2)
    c = MemoryRegion.io("C", 0x6000).at(0, priority=1)
    a = MemoryRegion.container("A", 0x8000, [b, c])
    assert shown(render(a)) == [
        (0x0000, 0x2000, "C", 0x0000),
        (0x2000, 0x3000, "D", 0x0000),
        (0x3000, 0x4000, "C", 0x3000),
        (0x4000, 0x5000, "E", 0x0000),
        (0x5000, 0x6000, "C", 0x5000),
    ]


def test_terminating_background() -> None:
    """If B of that example is I/O itself, it shows through between D and E and hides C."""
    children = MemoryRegion.container(
        "B", 0x4000, [MemoryRegion.io("D", 0x1000), MemoryRegion.io("E", 0x1000).at(0x2000)]
    )
    b = replace(children, kind=RegionKind.IO).at(0x2000, priority=2)
    a = MemoryRegion.container("A", 0x8000, [b, MemoryRegion.io("C", 0x6000).at(0, priority=1)])
    assert [(start, name) for start, _, name, _ in shown(render(a))] == [
        (0x0000, "C"),
        (0x2000, "D"),
        (0x3000, "B"),
        (0x4000, "E"),
        (0x5000, "B"),
    ]


def test_pc_example() -> None:
    """The PC of docs/devel/memory.rst: aliases split RAM at the PCI hole, a VGA window lies above it."""
    ram = MemoryRegion.ram("ram", 0x1_0000_0000)
    vram = MemoryRegion.ram("vram", 0x100_0000)
    vga_area = MemoryRegion.container(
        "vga-area",
        0x20000,
        [
            MemoryRegion.alias_of(vram, "bank1", 0x10000, 0x8000),
            MemoryRegion.alias_of(vram, "bank2", 0x8000, 0x8000).at(0x8000),
        ],
    )
    pci = MemoryRegion.container(
        "pci", ADDRESS_SPACE_SIZE, [vga_area.at(0xA0000, priority=1), vram.at(0xE100_0000, priority=1)]
    )
    system = MemoryRegion.container(
        "system",
        ADDRESS_SPACE_SIZE,
        [
            MemoryRegion.alias_of(ram, "lomem", 0, 0xE000_0000),
            MemoryRegion.alias_of(ram, "himem", 0xE000_0000, 0x2000_0000).at(0x1_0000_0000),
            MemoryRegion.alias_of(pci, "vga-window", 0xA0000, 0x20000).at(0xA0000, priority=1),
            MemoryRegion.alias_of(pci, "pci-hole", 0xE000_0000, 0x2000_0000).at(0xE000_0000),
        ],
    )
    assert shown(render(system)) == [
        (0x0, 0xA0000, "ram", 0),
        (0xA0000, 0xA8000, "vram", 0x10000),
        (0xA8000, 0xB0000, "vram", 0x8000),
        (0xB0000, 0xE000_0000, "ram", 0xB0000),
        (0xE100_0000, 0xE200_0000, "vram", 0),
        (0x1_0000_0000, 0x1_2000_0000, "ram", 0xE000_0000),
    ]


def test_alias_ignores_the_targets_place_but_not_its_state() -> None:
    """An alias shows its target from the offset on wherever that lies, unless disabled, no more than there is."""
    ram = MemoryRegion.ram("mem0", 8).at(100, priority=-5)
    assert shown(render(MemoryRegion.alias_of(ram, "a", 4, 16).at(32))) == [(32, 36, "mem0", 4)]
    assert len(render(MemoryRegion.alias_of(replace(ram, enabled=False), "a", 0, 8))) == 0
    assert len(render(replace(MemoryRegion.alias_of(ram, "a", 0, 8), enabled=False))) == 0


MEM0 = MemoryRegion.ram("mem0", 8 * GiB, has_fd=True)


def slots(*indices: int, unmergeable: tuple[int, ...] = ()) -> list[MemoryRegion]:
    return [
        MemoryRegion.alias_of(MEM0, f"slot-{one}", one * GiB, GiB, addr=one * GiB, unmergeable=one in unmergeable)
        for one in indices
    ]


def ranges(*children: MemoryRegion) -> int:
    return len(render(MemoryRegion.container("c", 8 * GiB, children)))


def test_f1_neighbours_merge() -> None:
    """F1: adjacent, contiguous and mergeable: one range."""
    assert ranges(*slots(0, 1)) == 1


@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)])
def test_f2_one_unmergeable_is_enough(which: tuple[int, ...]) -> None:
    """F2: neither the first nor the second may be unmergeable."""
    assert ranges(*slots(0, 1, unmergeable=which)) == 2


def test_f3_offset_gap() -> None:
    """F3: adjacent addresses that show distant offsets stay two."""
    second = MemoryRegion.alias_of(MEM0, "far", 4 * GiB, GiB, addr=GiB)
    assert ranges(*slots(0), second) == 2


def test_f4_hole() -> None:
    """F4: slots 0 and 2 without 1 are two ranges with a hole."""
    view = render(MemoryRegion.container("c", 8 * GiB, slots(0, 2)))
    assert shown(view) == [(0, GiB, "mem0", 0), (2 * GiB, 3 * GiB, "mem0", 2 * GiB)]
    assert view.at(GiB) is None


def test_f5_flag_is_inherited() -> None:
    """F5: an unmergeable container makes every range below it unmergeable."""
    inner = replace(MemoryRegion.container("slots", 8 * GiB, slots(0, 1)), unmergeable=True)
    assert ranges(inner) == 2


def test_f6_dirty_log_mask() -> None:
    """F6: two parts of one region of which one is logged are two ranges."""
    logged = replace(MEM0, dirty_log_mask=4)
    second = MemoryRegion.alias_of(logged, "slot-1", GiB, GiB, addr=GiB)
    assert ranges(*slots(0), second) == 2


def test_f7_readonly_alias() -> None:
    """F7: seen through a read-only alias a range is read-only and does not merge."""
    second = replace(slots(1)[0], readonly=True)
    view = render(MemoryRegion.container("c", 8 * GiB, [*slots(0), second]))
    assert [one.readonly for one in view] == [False, True]


def test_f8_mmio_splits_ram() -> None:
    """F8: 4 KiB of MMIO over RAM leaves two pieces with the right offsets."""
    ram, mmio = MemoryRegion.ram("ram", 4 * GiB), MemoryRegion.io("mmio", 4 * KiB).at(GiB, priority=1)
    assert shown(render(MemoryRegion.container("c", 4 * GiB, [ram, mmio]))) == [
        (0, GiB, "ram", 0),
        (GiB, GiB + 4 * KiB, "mmio", 0),
        (GiB + 4 * KiB, 4 * GiB, "ram", GiB + 4 * KiB),
    ]


def test_f9_two_backends() -> None:
    """F9: neighbours of different backends stay two."""
    assert ranges(MemoryRegion.ram("mem0", GiB), MemoryRegion.ram("mem1", GiB).at(GiB)) == 2


def test_nonvolatile_does_not_merge_with_volatile() -> None:
    """The non-volatile flag is inherited and keeps neighbours apart."""
    assert ranges(*slots(0), replace(slots(1)[0], nonvolatile=True)) == 2


def test_cover_letter_flat_view() -> None:
    """Three memslots are three ranges of mem0 in steps of 1 GiB; mergeable they would be one."""
    base = 0x1_4000_0000
    device = MemoryRegion.container("virtio-mem-memslots", 8 * GiB, slots(0, 1, 2, unmergeable=(0, 1, 2))).at(base)
    assert shown(render(device)) == [(base + i * GiB, base + (i + 1) * GiB, "mem0", i * GiB) for i in range(3)]
    assert len(render(MemoryRegion.container("c", 8 * GiB, slots(0, 1, 2)).at(base))) == 1


@given(region_trees())
def test_like_a_painter(tree: MemoryRegion) -> None:
    """Every address shows what the rules say for that address alone; ranges are sorted, disjoint and not mergeable."""
    view = render(tree)
    for one, following in zip(view.ranges, view.ranges[1:], strict=False):
        assert one.end <= following.start
        assert not one.merges_with(following)
    assert all(one.size > 0 for one in view)
    for address in range(160):
        assert painted(view, address) == looked_up(tree, address)
    assert view.ranges == () or view.ranges[-1].end <= 160


@given(region_trees())
def test_simplifying_changes_no_address(tree: MemoryRegion) -> None:
    """Fusing neighbours changes the number of ranges only."""
    plain, simple = render(tree, simplify=False), render(tree)
    assert len(simple) <= len(plain)
    assert [painted(plain, address) for address in range(160)] == [painted(simple, address) for address in range(160)]


def mergeable(tree: MemoryRegion) -> MemoryRegion:
    return replace(
        tree,
        unmergeable=False,
        subregions=tuple(map(mergeable, tree.subregions)),
        target=tree.target and mergeable(tree.target),
    )


@given(region_trees())
def test_mergeable_trees_have_no_more_ranges(tree: MemoryRegion) -> None:
    """Without the unmergeable flags there are never more ranges, and the same addresses show RAM."""
    with_flags, without = render(tree), render(mergeable(tree))
    assert len(without) <= len(with_flags)
    assert {a for a in range(160) if with_flags.at(a)} == {a for a in range(160) if without.at(a)}


@given(region_trees(), st.integers(0, 1 << 40))
def test_rendering_moves_with_the_root(tree: MemoryRegion, distance: int) -> None:
    """A tree placed elsewhere renders to the same ranges, moved."""
    moved = render(tree.at(tree.addr + distance, priority=tree.priority))
    # a root that is a leaf is itself what the ranges name, place included
    assert [(one.start - distance, one.end - distance, one.offset) for one in moved] == [
        (one.start, one.end, one.offset) for one in render(tree)
    ]


def test_end_of_the_address_space() -> None:
    """Nothing is rendered behind 2^64."""
    ram = MemoryRegion.ram("mem0", 2 * MiB).at(ADDRESS_SPACE_SIZE - MiB)
    assert shown(render(ram)) == [(ADDRESS_SPACE_SIZE - MiB, ADDRESS_SPACE_SIZE, "mem0", 0)]


@given(region_trees(), region_trees())
def test_changes_lead_from_one_view_to_the_other(old_tree: MemoryRegion, new_tree: MemoryRegion) -> None:
    """Replayed, changes turn the old view into the new: first deletions, then additions and no-ops, each ascending."""
    old, new = render(old_tree), render(new_tree)
    changes = old.changes(new)
    deletions = [one.range for one in changes if one.kind is ChangeKind.DEL]
    rest = [one for one in changes if one.kind is not ChangeKind.DEL]
    assert [one.kind for one in changes[: len(deletions)]] == [ChangeKind.DEL] * len(deletions)
    assert deletions == sorted(deletions, key=lambda one: one.start)
    assert [one.range for one in rest] == list(new)
    present = set(old)
    for one in changes:
        if one.kind is ChangeKind.DEL:
            present.remove(one.range)
        elif one.kind is ChangeKind.ADD:
            assert one.range not in present
            assert all(one.range.end <= other.start or other.end <= one.range.start for other in present)
            present.add(one.range)
        else:
            assert one.range in present
    assert present == set(new)


@given(region_trees())
def test_no_change_is_all_nops(tree: MemoryRegion) -> None:
    """A view that becomes itself gives region_nop for every range."""
    view = render(tree)
    assert [one.kind for one in view.changes(view)] == [ChangeKind.NOP] * len(view)


def test_logging_is_no_change() -> None:
    """The dirty-log mask makes no range a different one for listeners (system/memory.c, flatrange_equal)."""
    plain, logged = render(MEM0), render(replace(MEM0, dirty_log_mask=4))
    assert [one.kind for one in plain.changes(logged)] == [ChangeKind.NOP]


def test_growing_a_merged_range_is_delete_and_add() -> None:
    """Why memory_region_set_unmergeable: a merged range that grows is deleted and added, an unmergeable one stays."""

    def steps(*unmergeable: int) -> list[str]:
        def view(*indices: int) -> FlatView:
            return render(MemoryRegion.container("c", 8 * GiB, slots(*indices, unmergeable=unmergeable)))

        return [str(one.kind) for one in view(0).changes(view(0, 1))]

    assert steps() == ["region_del", "region_add"]
    assert steps(0, 1) == ["region_nop", "region_add"]


def test_empty() -> None:
    """A disabled or empty tree has an empty view."""
    assert len(render(MemoryRegion.container("c", 0))) == len(render(replace(MEM0, enabled=False))) == 0
    assert FlatView().at(0) is None


def test_ranges_are_values() -> None:
    """Ranges of equal contents are equal and hash alike."""
    one, other = (FlatRange(0, GiB, MemoryRegion.ram("mem0", GiB), 0) for _ in range(2))
    assert one == other
    assert len({one, other}) == 1
