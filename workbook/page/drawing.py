"""Pictures of one outcome as SVG: the memory map, KVM's metadata, and the memslots per limit.

For a page without BokehJS: it draws nothing but boxes and text, whose colours are the page's (``--NAME`` of a style
sheet). Every box has its numbers as a title, which browsers show under the pointer.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import log
from typing import Final

from workbook.lib.explore.outcome import Outcome
from workbook.lib.machine.snapshot import Consumer, DeviceLayout, Layout, RamPiece
from workbook.lib.size import GiB, format_size, shown_size

from .templates import render_macro

__all__ = ("AddressAxis", "budget", "memory_map", "metadata")

CUT_FROM: Final = 0.3
"""A hole is cut short where it is longer than this share of everything to scale."""
CUT_TO: Final = 0.08
"""What is left of a hole that is cut short, as the same share."""
_STATES: Final = {
    "unmapped": "not mapped",
    "empty": "mapped, nothing plugged",
    "partly": "mapped, partly plugged",
    "full": "mapped, all plugged",
}
_MOST_BORDERS: Final = 400
"""Memslots that are drawn one by one; of more, runs of one state are a box."""
_LEAST_BOX: Final = 3.0
"""Pixels below which a memslot is no box of its own."""
_MARKS: Final = (1, 8, 32, 256, 4096, 32764)
_SERIES: Final = 8
"""Colours of parts that the style sheet has."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels, the name of its look, and what it is."""

    x: float
    y: float
    width: float
    height: float
    look: str
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a point; `anchor` as in SVG's ``text-anchor``."""

    x: float
    y: float
    text: str
    anchor: str = "start"
    look: str = "text"


class AddressAxis:
    """Guest-physical addresses along a line of pixels, long holes cut short.

    Parameters
    ----------
    shown
        Pieces (start, end) that are to scale, bytes.
    end
        Where the axis ends, bytes.
    left, right
        Pixels.

    Attributes
    ----------
    gaps
        The holes that are cut short, as (start, end).
    """

    def __init__(self, shown: Iterable[tuple[int, int]], end: int, left: float, right: float) -> None:
        holes, at = [], 0
        for start, behind in sorted(shown):
            if start > at:
                holes.append((at, start))
            at = max(at, behind)
        if end > at:
            holes.append((at, end))
        scale = end - sum(behind - start for start, behind in holes)
        self.gaps = [(start, behind) for start, behind in holes if behind - start > CUT_FROM * scale > 0]
        self._from = sorted({0, end, *(one for gap in self.gaps for one in gap)})
        lengths = [
            CUT_TO * scale if (start, behind) in self.gaps else behind - start
            for start, behind in zip(self._from, self._from[1:], strict=False)
        ]
        whole = sum(lengths) or 1.0
        self._at = [left]
        for length in lengths:
            self._at.append(self._at[-1] + (right - left) * length / whole)

    def __call__(self, address: int) -> float:
        """Return where an address lies, pixels."""
        index = min(max(bisect_right(self._from, address) - 1, 0), len(self._from) - 2)
        first, last = self._from[index], self._from[index + 1]
        low, high = self._at[index], self._at[index + 1]
        return low + (high - low) * (min(max(address, first), last) - first) / (last - first)


def _picture(
    size: tuple[int, int],
    name: str,
    boxes: Iterable[Box],
    labels: Iterable[Label],
    ticks: Iterable[tuple[float, float]] = (),
) -> str:
    width, height = size
    return render_macro(
        "drawing.html.j2", "picture", width=width, height=height, name=name, boxes=boxes, labels=labels, lines=ticks
    )


# -- memory map -------------------------------------------------------------------------------------------------------


def memory_map(outcome: Outcome, width: int) -> str:
    """Return the memory map, `width` pixels wide; empty where QEMU does not start."""
    layout = outcome.layout
    if layout is None:
        return ""
    left, right = (104.0 if width >= 560 else 72.0), width - 14.0
    end = max([behind for _, behind in _extents(layout.ram)] + [layout.base + layout.size])
    pieces = _extents(layout.ram) + _extents(layout.devices)
    if layout.size and not layout.devices:
        pieces.append((layout.base, layout.base + layout.size))
    place = AddressAxis(pieces, end or 4 * GiB, left, right)
    boxes = [*_memory(layout, place)]
    labels = [Label(left - 8, y, text, "end", "lane") for text, y in zip(_LANES, _LANE_TEXT, strict=True)]
    for device in layout.devices:
        boxes += _device(device, place)
    for start, behind in place.gaps:
        middle = (place(start) + place(behind)) / 2
        labels.append(Label(middle, 12, f"⋯ {format_size(behind - start, digits=2)} ⋯", "middle", "muted"))
        boxes.append(Box(place(start), 18, place(behind) - place(start), 112, "gap", "not to scale"))
    labels += _box_labels(boxes)
    labels += _ticks(layout, place, width)
    words = f"Memory map of guest-physical addresses. {_words(layout)}"
    return _picture((width, 178), words, boxes, labels)


def _extents(pieces: Iterable[RamPiece | DeviceLayout]) -> list[tuple[int, int]]:
    return [(one.start, one.start + one.size) for one in pieces]


_LANES: Final = ("memory", "memslots", "plugged", "requested")
_LANE_TEXT: Final = (36, 70, 97, 117)


def _memory(layout: Layout, place: AddressAxis) -> Iterator[Box]:
    for one in layout.ram:
        yield _box(place, one.start, one.size, 22, 22, "ram", f"boot RAM, {shown_size(one.size)}")
    if layout.size:
        text = f"device-memory, {shown_size(layout.size)}"
        yield _box(place, layout.base, layout.size, 22, 22, "container", text)


def _box(place: AddressAxis, start: int, size: int, y: float, height: float, look: str, title: str) -> Box:
    x = place(start)
    return Box(x, y, max(place(start + size) - x, 0.5), height, look, title)


def _device(device: DeviceLayout, place: AddressAxis) -> Iterator[Box]:
    text = f"{device.id}: {device.type}, {shown_size(device.size)}"
    yield _box(place, device.start, device.size, 26, 14, "device", text)
    for first, count, start, size, state in _runs(device, place):
        which = f"memslot {first}" if count == 1 else f"memslots {first} to {first + count - 1}"
        text = f"{which} of {device.id}: {_STATES[state]}, {shown_size(size)}"
        yield _box(place, device.start + start, size, 52, 30, state, text)
    for begin, behind in device.plugged:
        text = f"plugged in {device.id}: {shown_size(behind - begin)}"
        yield _box(place, device.start + begin, behind - begin, 88, 14, "plugged", text)
    if device.type == "virtio-mem":
        usable, asked = device.usable_region_size, device.requested_size
        text = f"usable region of {device.id}: {shown_size(usable)}"
        yield _box(place, device.start, usable, 108, 14, "usable", text)
        text = f"requested of {device.id}: {shown_size(asked)}"
        yield _box(place, device.start, asked, 111, 8, "requested", text)


def _runs(device: DeviceLayout, place: AddressAxis) -> Iterator[tuple[int, int, int, int, str]]:
    """Yield first index, count, offset, bytes and state of memslots: one by one where there is room, else runs."""
    slots = device.memslots()
    pixels = (place(device.start + device.size) - place(device.start)) / max(len(slots), 1)
    apart = len(slots) <= _MOST_BORDERS and pixels >= _LEAST_BOX
    run: tuple[int, int, int, int, str] | None = None
    for index, one in enumerate(slots):
        size = min(one.size, device.size - one.offset)
        if size <= 0:
            # a surplus memslot of the RFC lies behind the end
            break
        kind = "partly" if 0 < one.plugged < size else "full" if one.plugged else "empty"
        state = kind if one.mapped else "unmapped"
        if run and not apart and run[4] == state:
            run = (run[0], run[1] + 1, run[2], run[3] + size, state)
            continue
        if run:
            yield run
        run = (index, 1, one.offset, size, state)
    if run:
        yield run


def _box_labels(boxes: Iterable[Box]) -> Iterator[Label]:
    """Name the boxes of the memory lane that have room for it, about seven pixels a letter."""
    for one in boxes:
        if one.look in {"ram", "device"} and one.width > 7 * len(one.title) + 8:
            yield Label(one.x + 5, 37, one.title, look=f"on-{one.look}")


def _ticks(layout: Layout, place: AddressAxis, width: int) -> Iterator[Label]:
    taken: list[tuple[float, float]] = []
    extents = _extents(layout.devices) + _extents(layout.ram)
    ends = [*(start for start, _ in extents), *(behind for _, behind in extents)]
    for address in (*ends, *((layout.base,) if layout.size else ())):
        half = 3.6 * len(f"{address:#x}")
        at = min(max(place(address), half + 2), width - half - 2)
        if all(abs(at - other) >= half + room + 8 for other, room in taken):
            taken.append((at, half))
            yield Label(at, 148, f"{address:#x}", "middle", "hex")
            yield Label(at, 164, shown_size(address), "middle", "muted")


def _words(layout: Layout) -> str:
    lines = [
        f"{one.id}: {len(one.mapped):,} of {one.decision.count:,} memslots of "
        f"{format_size(one.decision.memslot_size)} mapped, {shown_size(one.plugged_size)} plugged."
        for one in layout.devices
    ]
    return " ".join(lines) or "No memory device is plugged."


# -- metadata and limits ----------------------------------------------------------------------------------------------


def metadata(outcome: Outcome, width: int) -> str:
    """Return what KVM keeps for the mapped memslots beside one memslot for each device; empty without a machine."""
    if outcome.layout is None:
        return ""
    cases = (("one memslot", outcome.single_cost), (outcome.rules.name, outcome.cost))
    longest = max(cost.total for _, cost in cases) or 1
    left, room = 96.0, width - 96.0 - 82.0
    boxes, labels, words = [], [], []
    for row, (name, cost) in enumerate(cases):
        y, at = 8 + 38 * row, 0
        labels.append(Label(left - 8, y + 18, name, "end", "lane"))
        for number, part in enumerate(cost.parts):
            if part.bytes:
                title = f"{part.name}: {part.bytes:,} bytes; {part.formula} ({part.source})"
                x, size = left + room * at / longest, room * part.bytes / longest
                boxes.append(Box(x, y, max(size, 0.5), 26, f"series-{number % _SERIES}", title))
                at += part.bytes
        total = format_size(cost.total, digits=1) if cost.total else "nothing"
        labels.append(Label(left + room * at / longest + 6, y + 18, total))
        words.append(f"{name}: {total}")
    name = f"KVM metadata. {'; '.join(words)}."
    return _picture((width, 84), name, boxes, labels)


def budget(outcome: Outcome, width: int) -> str:
    """Return the memslots per limit on a logarithmic axis; empty without a machine."""
    consumers = outcome.layout.consumers if outcome.layout else ()
    if not consumers:
        return ""
    left, right = 8.0, width - 16.0
    # name and numbers share a line where there is room
    row_height, numbers_at = (50, 0) if width >= 520 else (66, 16)
    most = max(_MARKS[-1], *(one.boot + one.used + one.reserved for one in consumers))
    scale = (right - left) / log(most / 0.8)

    def place(number: float) -> float:
        return left + scale * log(max(number, 0.8) / 0.8)

    boxes: list[Box] = []
    labels: list[Label] = []
    for row, one in enumerate(consumers):
        y = row_height * row
        limit = f"{one.limit:,} {one.unit}" if one.limit is not None else "no limit"
        labels.append(Label(left, y + 14, f"{one.name}: {limit}", look="strong"))
        labels.append(Label(right, y + 14 + numbers_at, _taken(one), "end"))
        at = 0
        taken = {"boot": one.boot, "used": one.used, "reserved": one.reserved, "free": one.free or 0}
        for role, number in taken.items():
            if number > 0:
                x = place(at)
                wide = max(place(at + number) - x, 0.5)
                boxes.append(Box(x, y + 20 + numbers_at, wide, 18, role, f"{role}: {number:,}"))
                at += number
    bottom = row_height * len(consumers)
    ticks = [(place(mark), bottom - 4) for mark in _MARKS]
    for mark in _MARKS:
        anchor = "end" if mark == _MARKS[-1] else "middle"
        labels.append(Label(place(mark), bottom + 10, f"{mark:,}", anchor, "muted"))
    name = f"Memslots per limit, logarithmic. {'; '.join(f'{one.name}: {_taken(one)}' for one in consumers)}."
    return _picture((width, bottom + 18), name, boxes, labels, ticks)


def _taken(one: Consumer) -> str:
    text = f"{one.boot:,} boot + {one.used:,} used + {one.reserved:,} reserved"
    if one.free is None:
        return text
    return f"{text}, {one.free:,} free" if one.free >= 0 else f"{text}: {-one.free:,} TOO MANY"
