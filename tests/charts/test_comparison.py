"""Comparison: both maps on one axis, and what only one of them maps."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings, strategies as st

from workbook.charts.comparison import ComparisonCharts, merged_ranges
from workbook.lib.explore.growth import with_plugged
from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.size import GiB

LETTER = PRESETS["cover-letter"].scenario


def of(size: int, rules: str) -> Outcome:
    """The cover letter's VM with so many GiB plugged."""
    return Outcome.of(replace(with_plugged(LETTER, size * GiB), rules=rules))


@settings(max_examples=20)
@given(st.integers(0, 499), st.integers(0, 499))
def test_merged_ranges_are_a_partition(a: int, b: int) -> None:
    """What A maps is what both map and what only A does, and so for B; ranges ascend and touch only others' kind."""
    left, right = of(a, "rfc-2021"), of(b, "qemu-10.0")
    ranges = merged_ranges(left.layout, right.layout)
    total = {side: sum(end - start for start, end, one in ranges if one == side) for side in ("a", "b", "both")}
    for outcome, side in ((left, "a"), (right, "b")):
        assert outcome.layout
        assert total[side] + total["both"] == sum(one.mapped_size for one in outcome.layout.devices)
    for (_, end, kind), (start, _, following) in pairwise(ranges):
        assert end < start or (end == start and kind != following)


def test_one_axis_and_one_zoom() -> None:
    """Both maps share axis and zoom; costs have A, B and the reference, always as many rows."""
    charts = ComparisonCharts()
    outcome = of(20, "rfc-2021")
    charts.update(outcome, of(100, "qemu-10.0"))
    assert charts.a.x_range is charts.b.x_range is charts.merged.figure.x_range
    assert charts.a.axis.same_as(charts.b.axis)
    assert charts.overhead.figure.y_range.factors == ["B: qemu-10.0", "A: rfc-2021", "one memslot"]
    rows = len(charts.overhead.source.data["case"])
    charts.update(Outcome.of(SETTINGS["accel"].put(outcome.scenario, "tcg", None)), outcome)
    assert charts.overhead.figure.y_range.factors[-1] == "A, one memslot"
    assert len(charts.overhead.source.data["case"]) == rows
    assert "A and B: " in charts.describe()
