"""Borders between memslots, against a search through all addresses."""

from hypothesis import given, strategies as st

from workbook.lib.memory.borders import border_alignment, borders, crossed
from workbook.lib.memory.flatview import FlatRange, FlatView
from workbook.lib.memory.region import MemoryRegion

RAM = MemoryRegion.ram("mem0", 1 << 12)


@st.composite
def views(draw: st.DrawFn) -> FlatView:
    """Ranges of up to 64 bytes, some with a hole before them."""
    at, ranges = 0, []
    for _ in range(draw(st.integers(0, 8))):
        at += draw(st.sampled_from([0, 0, 0, 8, 3]))
        size = draw(st.integers(1, 64))
        ranges.append(FlatRange(at, size, RAM, at))
        at += size
    return FlatView(tuple(ranges))


@given(views(), st.integers(0, 300), st.integers(0, 100))
def test_crossed_is_where_the_range_changes(view: FlatView, start: int, size: int) -> None:
    """A border inside a buffer is an address of it whose range is another one than that of the byte before."""
    found = [
        at
        for at in range(start + 1, start + size)
        if view.at(at) and view.at(at - 1) and view.at(at) != view.at(at - 1)
    ]
    assert list(crossed(view, start, size)) == found
    assert set(found) <= set(borders(view))


@given(views())
def test_no_aligned_piece_lies_across(view: FlatView) -> None:
    """No naturally aligned piece of the alignment's size lies across a border; of twice the size at least one does."""
    alignment = border_alignment(view)
    if alignment is None:
        assert not borders(view)
        return
    assert not any(crossed(view, start, alignment) for start in range(0, 1024, alignment))
    assert any(crossed(view, start, 2 * alignment) for start in range(0, 1024, 2 * alignment))
