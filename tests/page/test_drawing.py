"""Drawings as SVG: they have what the outcome has, in order and to scale."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, strategies as st

from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.page.drawing import AddressAxis, budget, memory_map, metadata


def boxes(svg: str) -> list[tuple[str, float, float, str]]:
    """Return look, left, width and title of every box."""
    found = []
    for one in ET.fromstring(svg).iter("rect"):
        look = (one.get("class") or "").removeprefix("box ")
        if look != "hatch":
            found.append((look, float(one.get("x") or 0), float(one.get("width") or 0), one.findtext("title") or ""))
    return found


@pytest.mark.parametrize("name", PRESETS)
def test_every_mapped_memslot_is_drawn(name: str) -> None:
    """The map's boxes of memslots count as many mapped ones as the outcome has, alone or as runs."""
    outcome = Outcome.of(PRESETS[name].scenario)
    svg = memory_map(outcome, 900)
    if outcome.layout is None:
        assert svg == ""
        return
    mapped = 0
    for look, _, _, title in boxes(svg):
        if look in {"empty", "partly", "full"}:
            run = re.match(r"memslots (\d+) to (\d+) ", title)
            mapped += int(run[2]) - int(run[1]) + 1 if run else 1
    assert mapped == outcome.used


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("width", [320, 900])
def test_nothing_sticks_out(name: str, width: int) -> None:
    """No box begins or ends outside of its picture, whatever its width."""
    outcome = Outcome.of(PRESETS[name].scenario)
    for svg in (memory_map(outcome, width), metadata(outcome, width), budget(outcome, width)):
        if svg:
            assert all(left >= 0 and left + wide <= width + 0.5 for _, left, wide, _ in boxes(svg))
            assert ET.fromstring(svg).get("aria-label")


def test_metadata_is_to_scale() -> None:
    """The parts of both bars are as long as their bytes, relative to the longest bar."""
    outcome = Outcome.of(PRESETS["cover-letter-20g"].scenario)
    drawn = boxes(metadata(outcome, 1000))
    longest = max(outcome.cost.total, outcome.single_cost.total)
    parts = [one.bytes for cost in (outcome.single_cost, outcome.cost) for one in cost.parts if one.bytes]
    room = sum(wide for _, _, wide, _ in drawn[: sum(1 for one in outcome.single_cost.parts if one.bytes)])
    scale = room / outcome.single_cost.total
    assert longest == outcome.single_cost.total
    assert [wide for _, _, wide, _ in drawn] == pytest.approx([max(scale * one, 0.5) for one in parts], abs=0.2)


def test_limits_in_order() -> None:
    """A bar of memslots has boot, used, reserved and free ones in that order, each with its number."""
    outcome = Outcome.of(PRESETS["cover-letter-20g"].scenario)
    assert outcome.layout
    kvm = outcome.layout.consumers[0]
    numbers = {"boot": kvm.boot, "used": kvm.used, "reserved": kvm.reserved, "free": kvm.free or 0}
    found = [(look, title) for look, _, _, title in boxes(budget(outcome, 600))][: len(numbers)]
    assert found == [(role, f"{role}: {number:,}") for role, number in numbers.items() if number]


@given(st.lists(st.tuples(st.integers(0, 1 << 44), st.integers(1, 1 << 40)), min_size=1, max_size=6), st.data())
def test_axis_grows(pieces: list[tuple[int, int]], data: st.DataObject) -> None:
    """A larger address never lies to the left of a smaller one, and both ends of the axis are where they were put."""
    shown = [(start, start + size) for start, size in pieces]
    end = max(behind for _, behind in shown)
    place = AddressAxis(shown, end, 10.0, 500.0)
    a, b = sorted(data.draw(st.tuples(st.integers(0, end), st.integers(0, end))))
    assert 9.99 <= place(a) <= place(b) + 1e-6 <= 500.01
    assert place(0) == pytest.approx(10.0)
    assert place(end) == pytest.approx(500.0)


def test_text_of_a_vm_is_escaped() -> None:
    """An id with angle brackets stays text in a drawing."""
    scenario = PRESETS["cover-letter"].scenario
    evil = replace(scenario, devices=tuple(replace(one, id="<b>") for one in scenario.devices))
    assert "<b>" not in memory_map(Outcome.of(evil), 900)
