"""Overhead bars: the pieces of a bar are the cost's parts, one after the other."""

import pytest

from workbook.charts import OverheadBars
from workbook.charts.overhead import NOTHING
from workbook.columns.overhead import overhead_columns
from workbook.columns.theme import theme_of
from workbook.lib.cost.kvm import Cost, KvmHost
from workbook.lib.size import GiB

SHADOW = KvmHost(tdp_mmu=False)
CASES = {"single": SHADOW.metadata([500 * GiB], dirty_log=True), "21 memslots": SHADOW.metadata([GiB] * 21)}


def test_pieces_are_the_parts() -> None:
    """Each part is a row that begins where the one before ends, is as long as its bytes, and says them exactly."""
    columns = overhead_columns(CASES, theme_of("light"))
    rows = list(zip(columns["case"], columns["part"], columns["left"], columns["right"], columns["bytes"], strict=True))
    for case, cost in CASES.items():
        mine = [row for row in rows if row[0] == case]
        assert [row[1] for row in mine] == [part.name for part in cost.parts]
        assert [row[3] - row[2] for row in mine] == [part.bytes for part in cost.parts]
        assert [int(row[4].replace(",", "")) for row in mine] == [part.bytes for part in cost.parts]
        assert [row[2] for row in mine[1:]] == [row[3] for row in mine[:-1]]
        assert mine[-1][3] == cost.total


def test_hover_has_formula_and_source() -> None:
    """Every row carries the part's formula, when it is allocated and where that is written."""
    columns = overhead_columns(CASES, theme_of("light"))
    parts = [part for cost in CASES.values() for part in cost.parts]
    assert columns["formula"] == [part.formula for part in parts]
    assert columns["when"] == [part.when for part in parts]
    assert columns["source"] == [part.source for part in parts]


def test_a_part_looks_the_same_in_every_bar() -> None:
    """Colour and hatch belong to the part, and no two parts share both."""
    columns = overhead_columns(CASES, theme_of("dark"))
    looks = set(zip(columns["part"], columns["color"], columns["role"], strict=True))
    assert len(looks) == len({part for part, *_ in looks}) == len({look[1:] for look in looks})


@pytest.mark.parametrize("cases", [CASES, tuple(CASES.items())])
def test_update(cases: dict[str, Cost]) -> None:
    """Cases come as a mapping or as pairs; the first one is on top and the axis holds the longest with its total."""
    chart = OverheadBars()
    source = chart.source
    chart.update(cases)
    assert chart.source is source
    assert list(chart.figure.y_range.factors) == ["21 memslots", "single"]
    assert chart.figure.x_range.end > CASES["single"].total
    assert chart.totals.data["total"] == [cost.total for cost in CASES.values()]


def test_costs_of_nothing() -> None:
    """A cost of 0 is written as such, and no case at all says so."""
    chart = OverheadBars()
    assert chart.describe() == NOTHING
    chart.update({"no memslot": SHADOW.metadata([])})
    assert chart.totals.data["text"] == ["nothing"]
    assert chart.describe() == "no memslot: nothing."
    assert chart.figure.x_range.end > 0


def test_description() -> None:
    """The description has the total and the parts that are not 0."""
    chart = OverheadBars()
    chart.update({"one": SHADOW.metadata([GiB])})
    assert chart.describe() == "one: 2.5 MiB (rmap 2 MiB, gfn_track 512 KiB, lpage_info 8 KiB)."
