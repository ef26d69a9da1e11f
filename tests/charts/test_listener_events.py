"""Listener events: one row per callback, and what is missing between two of them."""

from itertools import pairwise

import numpy as np
from hypothesis import given, strategies as st
from pictured import CoverLetter

from workbook.charts import ListenerEvents
from workbook.columns.listener_events import MOST_ROWS, NOTHING, axis_of, listener_columns
from workbook.columns.theme import theme_of
from workbook.lib.memory.flatview import ChangeKind, FlatRange, FlatView, missing_for_a_moment
from workbook.lib.memory.region import MemoryRegion
from workbook.lib.size import GiB

MEMORY, OTHER = MemoryRegion.ram("mem0", 64 * GiB), MemoryRegion.ram("mem1", 64 * GiB)


@st.composite
def views(draw: st.DrawFn) -> FlatView:
    """Flat views of few ranges, of two regions that may be shifted."""
    edges = sorted(draw(st.sets(st.integers(0, 40), max_size=8)))
    ranges = []
    for start, end in pairwise(edges):
        if draw(st.booleans()):
            region, shift = draw(st.sampled_from((MEMORY, OTHER))), draw(st.sampled_from((0, 1)))
            ranges.append(FlatRange(start, end - start, region, start + shift))
    return FlatView(tuple(ranges))


def bytes_of(view: FlatView) -> dict[int, tuple[str, int]]:
    """Return what each address shows."""
    return {one.start + at: (one.region.name, one.offset + at) for one in view for at in range(one.size)}


@given(views(), views())
def test_missing_for_a_moment(before: FlatView, after: FlatView) -> None:
    """Missing is exactly what shows the same byte before and after, and is deleted and added on the way."""
    changes = before.changes(after)
    kept = [one.range for one in changes if one.kind is ChangeKind.NOP]
    old, new = bytes_of(before), bytes_of(after)
    expected = {
        at
        for at in old.keys() & new.keys()
        if old[at] == new[at] and not any(one.start <= at < one.end for one in kept)
    }
    found = [at for low, high in missing_for_a_moment(changes) for at in range(low, high)]
    assert len(found) == len(set(found))
    assert set(found) == expected


@given(views(), views())
def test_columns_are_the_changes(before: FlatView, after: FlatView) -> None:
    """Every callback is a row, in order and downwards, with its range, bytes and memory."""
    changes = before.changes(after)
    axis = axis_of(changes)
    columns = listener_columns(changes, axis, theme_of("light"))
    assert columns["kind"] == [one.kind.value for one in changes]
    assert columns["bytes"] == [one.range.size for one in changes]
    assert axis.address(columns["left"]).tolist() == [one.range.start for one in changes]
    assert columns["number"] == list(range(1, len(changes) + 1))
    assert (np.diff(columns["top"]) < 0).all()
    assert (columns["bottom"][:-1] > columns["top"][1:]).all()


def test_growing_by_memslots_is_atomic(cover_letter: CoverLetter) -> None:
    """From 2 to 20 GiB the RFC adds 18 memslots, leaves three alone, and nothing is missing in between."""
    chart = ListenerEvents()
    sources = dict(chart.sources)
    chart.update(cover_letter(2 * GiB).changes(cover_letter(20 * GiB)))
    assert chart.sources == sources
    assert chart.describe().splitlines()[0] == (
        "0 region_del, 18 region_add, 3 region_nop; nothing is missing in between"
    )
    assert chart.describe().splitlines()[1] == "4. region_add 0x200000000 - 0x23fffffff (1 GiB)"


def test_replacing_is_not_atomic() -> None:
    """One range that grows is deleted and added: its old part is missing for a moment, and the chart shows it."""
    before = FlatView((FlatRange(0, 3 * GiB, MEMORY, 0),))
    after = FlatView((FlatRange(0, 6 * GiB, MEMORY, 0),))
    chart = ListenerEvents(theme="dark")
    chart.update(before.changes(after))
    assert chart.describe().splitlines()[0].endswith("3 GiB missing for a moment")
    assert chart.sources["missing"].data["range"] == ["0x0 - 0xbfffffff"]


def test_nothing_changes(cover_letter: CoverLetter) -> None:
    """Without a change the title and the description say so, whether or not there are ranges."""
    chart = ListenerEvents()
    assert chart.describe() == NOTHING
    chart.update(cover_letter(2 * GiB).changes(cover_letter(2 * GiB)))
    assert chart.describe() == chart.figure.title.text == NOTHING
    assert chart.sources["events"].data["kind"] == ["region_nop"] * 3


def test_many_callbacks_share_the_height(cover_letter: CoverLetter) -> None:
    """500 callbacks need no more room than the most that get a name each, and a part of them is named."""
    chart = ListenerEvents()
    chart.update(cover_letter(0).changes(cover_letter(500 * GiB)))
    named = chart.figure.yaxis[0].ticker.ticks
    assert len(chart.sources["events"].data["kind"]) == 500
    assert 1 < len(named) <= MOST_ROWS + 1
    assert chart.figure.height < 800


def test_table(cover_letter: CoverLetter) -> None:
    """The table has a row per callback."""
    chart = ListenerEvents()
    changes = cover_letter(2 * GiB).changes(cover_letter(5 * GiB))
    chart.update(changes)
    assert chart.html().count("<tr>") == len(changes) + 1
    assert "0x200000000 - 0x23fffffff" in chart.html()
