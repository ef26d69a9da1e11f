"""The memory map: its columns are the layout's numbers, and updating changes nothing but data."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pictured import COVER_LETTER, CoverLetter

from workbook.charts import MemoryMap
from workbook.charts.memory_map import NO_CONTAINER, NO_DEVICE, NOT_STARTED
from workbook.columns.memory_map import SLOT_STATES, axis_of, memory_map_columns, merged_extents
from workbook.columns.memslots import memslot_columns
from workbook.columns.theme import theme_of
from workbook.lib.machine.machine import Machine
from workbook.lib.machine.snapshot import Layout
from workbook.lib.size import GiB, MiB

LIGHT = theme_of("light")
MOST_RECTANGLES = 10_000


def rectangles(chart: MemoryMap) -> int:
    """Count what the map draws as rectangles."""
    return sum(len(chart.sources[name].data["left"]) for name in ("boxes", "slots", "gaps"))


@pytest.mark.parametrize("requested", [0, 2 * GiB, 20 * GiB, 500 * GiB])
def test_slots_are_the_models(cover_letter: CoverLetter, requested: int) -> None:
    """Every memslot is a row: its index, addresses, offset and size, and its state from mapped and plugged."""
    layout = cover_letter(requested)
    device, axis = layout.devices[0], axis_of(layout)
    slots = memory_map_columns(layout, axis, LIGHT)["slots"]
    assert slots["index"].tolist() == list(range(device.decision.count))
    memslots = memslot_columns(device)
    assert axis.address(slots["left"]).astype(np.int64).tolist() == (device.start + memslots.offset).tolist()
    assert (slots["right"] - slots["left"]).astype(np.int64).tolist() == memslots.size.tolist()
    for name, values in (
        ("start", device.start + memslots.offset),
        ("offset", memslots.offset),
        ("size", memslots.size),
        ("plugged", memslots.plugged),
    ):
        assert slots[name].tolist() == values.tolist()
    states = [list(SLOT_STATES)[one] for one in slots["state"].tolist()]
    assert [state != "unmapped" for state in states] == memslots.mapped.tolist()
    full = (memslots.plugged == memslots.size) & memslots.mapped
    assert [state == "full" for state in states] == full.tolist()
    empty = (memslots.plugged == 0) & memslots.mapped
    assert [state == "empty" for state in states] == empty.tolist()


def test_runs_are_the_slots(fragmented: Layout, two_devices: Layout, cover_letter: CoverLetter) -> None:
    """Neighbouring memslots of one state are one run: runs cover the same places, in the same states, and are fewer."""
    for layout in (fragmented, two_devices, cover_letter(0)):
        columns = memory_map_columns(layout, axis_of(layout), LIGHT)
        slots, runs = columns["slots"], columns["runs"]
        assert sum(np.array(runs["right"]) - runs["left"]) == sum(slots["right"] - slots["left"])
        for left, right, role in zip(runs["left"], runs["right"], runs["role"], strict=True):
            inside = (slots["left"] >= left) & (slots["right"] <= right)
            assert {list(SLOT_STATES)[one] for one in slots["state"][inside]} == {role}
        touching = zip(runs["right"], runs["left"][1:], runs["role"], runs["role"][1:], strict=False)
        assert all(end < start or role != other for end, start, role, other in touching)


def test_plugged_boxes_are_the_extents(fragmented: Layout) -> None:
    """The plugged lane has the model's extents, and their sizes add up to the plugged size."""
    device, axis = fragmented.devices[0], axis_of(fragmented)
    boxes = memory_map_columns(fragmented, axis, LIGHT)["boxes"]
    rows = [row for row, role in enumerate(boxes["role"]) if role == "plugged"]
    starts, ends = axis.address(boxes["left"])[rows], axis.address(boxes["right"])[rows]
    assert (np.column_stack((starts, ends)).astype(np.int64) - device.start).tolist() == [
        list(one) for one in device.plugged
    ]
    assert int((ends - starts).sum()) == device.plugged_size


def test_ram_container_and_devices(two_devices: Layout) -> None:
    """Boot RAM, the container and every device are boxes with their addresses and sizes; a DIMM has one memslot."""
    axis = axis_of(two_devices)
    columns = memory_map_columns(two_devices, axis, LIGHT)
    boxes = columns["boxes"]
    by_name = dict(zip(boxes["what"], zip(boxes["range"], boxes["size"], strict=True), strict=True))
    assert by_name["device-memory"] == (f"0x180000000 - {0x180000000 + 254 * GiB - 1:#x}", "254 GiB")
    assert by_name["dimm dimm0"] == ("0x180000000 - 0x37fffffff", "8 GiB")
    assert by_name["virtio-mem vm0"] == ("0x380000000 - 0x137fffffff", "64 GiB")
    assert columns["slots"]["device"].count("dimm0") == 1
    assert len(columns["markers"]["x"]) == 4


def test_markers_are_request_and_usable_region() -> None:
    """The solid marker stands at the requested size, the dashed one at the end of the usable region."""
    machine = Machine.from_qemu_args(COVER_LETTER, rules="rfc-2021", kvm_slots=32764)
    machine.request_size("vm0", 20 * GiB)
    machine.plug("vm0", 0, 3 * GiB)
    layout = machine.picture
    device, axis = layout.devices[0], axis_of(layout)
    markers = memory_map_columns(layout, axis, LIGHT)["markers"]
    assert markers["dash"] == ["solid", "dashed"]
    expected = [device.start + 20 * GiB, device.start + 20 * GiB + 256 * MiB]
    assert axis.address(markers["x"]).tolist() == expected


def test_gaps_say_their_size(cover_letter: CoverLetter) -> None:
    """The unused rest of the container is cut, and says its addresses and size."""
    layout = cover_letter(0)
    gaps = memory_map_columns(layout, axis_of(layout), LIGHT)["gaps"]
    assert gaps["size"] == ["537 GiB"]
    assert gaps["range"] == ["0x7e40000000 - 0x1047fffffff"]


def test_unmapped_runs_are_cut_on_demand(cover_letter: CoverLetter) -> None:
    """With `cut_unmapped` the memslots that are not mapped are cut, and mapped ones are not."""
    layout = cover_letter(2 * GiB)
    axis = axis_of(layout, cut_unmapped=True)
    start = layout.devices[0].start
    assert [(low - start) // GiB for low, _ in axis.gaps] == [4, 500]
    mapped = axis.place([start, start + 3 * GiB])
    assert mapped[1] - mapped[0] == 3 * GiB


def test_update_keeps_the_objects(cover_letter: CoverLetter) -> None:
    """Updating assigns data: the figure, its renderers and the sources stay the same objects."""
    chart = MemoryMap()
    before = (chart.root, chart.figure, *chart.figure.renderers, *chart.sources.values())
    for requested in (0, 20 * GiB):
        chart.update(cover_letter(requested))
    after = (chart.root, chart.figure, *chart.figure.renderers, *chart.sources.values())
    assert all(old is new for old, new in zip(before, after, strict=True))
    assert np.count_nonzero(chart.sources["slots"].data["state"]) == 21


def test_zoom_stays_while_the_axis_does(cover_letter: CoverLetter, two_devices: Layout) -> None:
    """A request changes no axis and keeps the zoom; another machine shows itself whole."""
    chart = MemoryMap()
    chart.update(cover_letter(0))
    chart.x_range.update(start=5 * GiB, end=30 * GiB)
    chart.update(cover_letter(20 * GiB))
    assert (chart.x_range.start, chart.x_range.end) == (5 * GiB, 30 * GiB)
    chart.update(two_devices)
    assert (chart.x_range.start, chart.x_range.end) == (0, chart.axis.end)


def test_columns_of_a_source_have_one_length(fragmented: Layout, two_devices: Layout) -> None:
    """All columns of each source have the same length, whatever is drawn."""
    for layout in (fragmented, two_devices):
        for columns in memory_map_columns(layout, axis_of(layout), LIGHT, notice="text").values():
            assert len({len(column) for column in columns.values()}) == 1


def test_1024_memslots_are_few_rectangles(fragmented: Layout) -> None:
    """1,024 memslots stay below the rectangles that a browser draws fast, and their columns take milliseconds."""
    chart = MemoryMap()
    chart.update(fragmented)
    assert 1024 < rectangles(chart) < MOST_RECTANGLES


def test_many_extents_are_drawn_as_fewer() -> None:
    """A device with every other block plugged is drawn with few rectangles, and no plugged byte is lost."""
    machine = Machine.from_qemu_args(COVER_LETTER, rules="rfc-2021", kvm_slots=32764)
    machine.request_size("vm0", 40 * GiB)
    for block in range(0, 9000, 2):
        machine.plug("vm0", block * 2 * MiB, 2 * MiB)
    chart = MemoryMap()
    chart.update(machine.picture)
    assert rectangles(chart) < MOST_RECTANGLES
    _, plugged = merged_extents(np.array(machine.picture.devices[0].plugged), 3000)
    assert int(plugged.sum()) == 4500 * 2 * MiB


@given(st.sets(st.integers(0, 400), min_size=2), st.integers(1, 30))
def test_merged_extents_keep_every_byte(edges: set[int], most: int) -> None:
    """Merging leaves at most so many extents, covers all given ones, and counts exactly their bytes."""
    points = sorted(edges)
    extents = np.array(points[: len(points) // 2 * 2], dtype=np.int64).reshape(-1, 2)
    merged, plugged = merged_extents(extents, most)
    assert len(merged) == min(most, len(extents))
    assert plugged.sum() == (extents[:, 1] - extents[:, 0]).sum()
    assert (plugged <= merged[:, 1] - merged[:, 0]).all()
    for start, end in extents.tolist():
        assert ((merged[:, 0] <= start) & (end <= merged[:, 1])).any()


@pytest.mark.parametrize(
    ("argv", "text"),
    [("-machine q35 -m 4G", NO_CONTAINER), ("-machine q35 -m 4G,maxmem=64G", NO_DEVICE), (None, NOT_STARTED)],
)
def test_nothing_to_draw(argv: str | None, text: str) -> None:
    """Where there is no device memory, no device, or no machine, the figure and the description say so."""
    chart = MemoryMap(theme="dark")
    chart.update(Machine.from_qemu_args(argv).picture if argv else None)
    assert chart.sources["notice"].data["text"] == [text]
    assert len(chart.sources["slots"].data["left"]) == 0
    assert text in chart.describe()


def test_notice_goes_with_the_first_device(cover_letter: CoverLetter) -> None:
    """A text in the figure disappears when there is something to draw."""
    chart = MemoryMap()
    assert chart.sources["notice"].data["text"]
    chart.update(cover_letter(0))
    assert chart.sources["notice"].data["text"] == []


def test_description(cover_letter: CoverLetter) -> None:
    """The description has the numbers of the cover letter's example."""
    chart = MemoryMap()
    chart.update(cover_letter(20 * GiB))
    assert chart.describe().splitlines() == [
        "Boot RAM: 3 GiB at 0x0 and 1 GiB at 0x100000000.",
        "Device memory: 1037 GiB at 0x140000000.",
        (
            "vm0 (virtio-mem, 500 GiB at 0x140000000): 500 memslots of 1 GiB, 21 mapped (21 GiB): 20 full, 1 empty; "
            "20 GiB plugged, 20 GiB requested, 20.25 GiB usable."
        ),
    ]


def test_surplus_memslots_are_not_drawn() -> None:
    """A surplus memslot of the RFC lies behind its device: the drawn ones cover the device and no more."""
    argv = COVER_LETTER.replace("size=500G", "size=5G").replace("memdev=mem0", "memdev=mem0,max-memslots=4")
    layout = Machine.from_qemu_args(argv, rules="rfc-2021", kvm_slots=32764).picture
    device, axis = layout.devices[0], axis_of(layout)
    slots = memory_map_columns(layout, axis, LIGHT)["slots"]
    assert len(slots["index"]) < device.decision.count
    assert axis.address(slots["right"]).max() == device.start + device.size


@pytest.mark.parametrize("requested", [0, 20 * GiB, 500 * GiB])
def test_plugged_is_written_where_there_is_room(requested: int) -> None:
    """With nothing plugged its label stands behind the request; where that reaches the end, at the device's start."""
    machine = Machine.from_qemu_args(COVER_LETTER, rules="rfc-2021", kvm_slots=32764)
    machine.request_size("vm0", requested)
    layout = machine.picture
    labels = memory_map_columns(layout, axis_of(layout), LIGHT)["labels"]
    row = labels["text"].index("0 B plugged")
    start = layout.devices[0].start
    assert labels["right"][row] == start + (requested if requested < 500 * GiB else 0)
    assert labels["until"][row] > labels["right"][row]
