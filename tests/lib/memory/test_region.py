"""Region trees: order among siblings, and what cannot be built."""

import pytest

from workbook.lib.errors import BadInput
from workbook.lib.memory.region import ADDRESS_SPACE_SIZE, MAX_DEPTH, MemoryRegion, RegionKind


def test_children_by_priority_then_newest() -> None:
    """Children are kept by descending priority, among equals the one added last first."""
    names = (("low", -1), ("old", 0), ("high", 5), ("new", 0))
    root = MemoryRegion.container("root", 10, [MemoryRegion.io(name, 1).at(0, priority=prio) for name, prio in names])
    assert [one.name for one in root.subregions] == ["high", "new", "old", "low"]


def test_values_never_change() -> None:
    """Placing a region makes another one."""
    ram = MemoryRegion.ram("mem0", 4096)
    placed = ram.at(0x1000, priority=2)
    assert (ram.addr, ram.priority) == (0, 0)
    assert (placed.addr, placed.priority, placed.last) == (0x1000, 2, 0x1FFF)


def test_last_of_nothing() -> None:
    """A region of size 0 ends where it starts, as info mtree prints it."""
    assert MemoryRegion.ram("empty", 0).at(0x1000).last == 0x1000


def test_kinds() -> None:
    """Containers and aliases do not end rendering; RAM and ROM reach host memory, I/O does not."""
    ram, rom, io = MemoryRegion.ram("ram", 1), MemoryRegion.ram("rom", 1, readonly=True), MemoryRegion.io("io", 1)
    container = MemoryRegion.container("c", 1, [ram])
    alias = MemoryRegion.alias_of(ram, "a", 0, 1)
    assert [one.terminates for one in (ram, rom, io, container, alias)] == [True, True, True, False, False]
    assert [one.is_ram for one in (ram, rom, io, container, alias)] == [True, True, False, False, False]
    assert rom.kind is RegionKind.ROM
    assert rom.readonly


def test_same_memory_whatever_is_logged() -> None:
    """Two regions that differ in the dirty-log mask alone are the same memory."""
    plain = MemoryRegion("mem0", 1, RegionKind.RAM)
    logged = MemoryRegion("mem0", 1, RegionKind.RAM, dirty_log_mask=4)
    assert plain == logged
    assert hash(plain) == hash(logged)


def test_walk_is_depth_first_and_does_not_follow_aliases() -> None:
    """walk() yields each region before what it holds."""
    ram = MemoryRegion.ram("ram", 4)
    inner = MemoryRegion.container("inner", 4, [MemoryRegion.alias_of(ram, "alias", 0, 4)])
    root = MemoryRegion.container("root", 8, [inner, MemoryRegion.io("io", 1).at(4)])
    assert [one.name for one in root.walk()] == ["root", "io", "inner", "alias"]


@pytest.mark.parametrize("size", [-1, ADDRESS_SPACE_SIZE + 1])
def test_size_out_of_range(size: int) -> None:
    """A region has 0 to 2^64 bytes."""
    with pytest.raises(BadInput, match="out of range"):
        MemoryRegion.ram("mem0", size)


def test_whole_address_space() -> None:
    """A region may fill the address space."""
    assert MemoryRegion.container("system", ADDRESS_SPACE_SIZE).last == ADDRESS_SPACE_SIZE - 1


def test_aliases_need_targets() -> None:
    """An alias, and nothing else, has a target."""
    with pytest.raises(BadInput, match="needs a target"):
        MemoryRegion("a", 1, RegionKind.ALIAS)
    with pytest.raises(BadInput, match="needs a target"):
        MemoryRegion("a", 1, RegionKind.RAM, target=MemoryRegion.ram("mem0", 1))


@pytest.mark.parametrize("alias", [False, True])
def test_depth_is_bounded(alias: bool) -> None:
    """A tree that is too deep is bad input when it is built, so that nothing can run out of stack later."""
    tree = MemoryRegion.ram("mem0", 1)
    for _ in range(MAX_DEPTH - 1):
        tree = MemoryRegion.alias_of(tree, "a", 0, 1) if alias else MemoryRegion.container("c", 1, [tree])
    assert tree.depth == MAX_DEPTH
    with pytest.raises(BadInput, match="levels"):
        MemoryRegion.container("one too many", 1, [tree])
