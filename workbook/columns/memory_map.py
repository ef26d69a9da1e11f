"""Column data of the memory map: boxes, memslots, labels and markers of one layout.

Numbers of memslots are float64 arrays (exact below 2^53): Bokeh sends large int64 one by one, and arrays of many
rows at once. Sources of few rows have lists, because every array is two messages of its own to a notebook.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from workbook.lib.machine.snapshot import DeviceLayout, RamPiece
from workbook.lib.size import GiB, format_size, shown_size

from .broken_axis import BrokenAxis
from .memslots import memslot_columns
from .table import Columns
from .theme import Theme

__all__ = (
    "BOX_COLUMNS",
    "BOX_ROLES",
    "LANES",
    "NOTHING",
    "SLOT_LANE",
    "SLOT_STATES",
    "Columns",
    "Drawable",
    "Nothing",
    "axis_of",
    "memory_map_columns",
    "merged_extents",
)

Bytes = npt.NDArray[np.int64]

LANES: Final = ("boot RAM", "device memory", "devices", "memslots", "plugged", "requested")
"""From top to bottom; the last one at y = 0."""
_Y: Final = {name: len(LANES) - 1 - index for index, name in enumerate(LANES)}
_ACROSS: Final = (-0.32, 0.32)
"""Bottom and top of a box, from the middle of its lane."""
SLOT_LANE: Final = (_Y["memslots"] - 0.42, _Y["memslots"] + 0.42)
"""Bottom and top of all memslots."""
TOP: Final = len(LANES) - 0.4
MAX_EXTENTS: Final = 3_000
"""Plugged extents drawn at most; nearest ones are drawn as one beyond that."""

SLOT_STATES: Final = {
    "unmapped": "not mapped",
    "empty": "mapped, nothing plugged",
    "partly": "mapped, partly plugged",
    "full": "mapped, all plugged",
}
"""Role and words of each state; the column ``state`` holds their number in this order."""
BOX_ROLES: Final = ("ram", "container", "device", "dimm", "plugged", "usable", "requested")
BOX_COLUMNS: Final = ("what", "range", "size", "state")


class Drawable(Protocol):
    """The part of a `workbook.lib.machine.snapshot.Layout`."""

    @property
    def ram(self) -> tuple[RamPiece, ...]:
        """Boot RAM."""

    @property
    def base(self) -> int:
        """Start of the device-memory container."""

    @property
    def size(self) -> int:
        """Bytes of the device-memory container; 0 where there is none."""

    @property
    def devices(self) -> tuple[DeviceLayout, ...]:
        """Memory devices in address order."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """A machine that is not there: QEMU does not start."""

    ram: tuple[RamPiece, ...] = ()
    base: int = 0
    size: int = 0
    devices: tuple[DeviceLayout, ...] = ()


NOTHING: Final = Nothing()


def hex_range(start: int, size: int) -> str:
    """Return first and last byte in hexadecimal, as QEMU's monitor does."""
    return f"{start:#x} - {start + size - 1:#x}" if size > 0 else f"{start:#x}, empty"


def axis_of(*layouts: Drawable, cut_unmapped: bool = False) -> BrokenAxis:
    """Return the axis for a layout, or for several: RAM and devices to scale, holes between them cut.

    Parameters
    ----------
    cut_unmapped
        Cut long runs of memslots that are not mapped, too; then the axis moves with what is mapped.
    """
    pieces: list[tuple[int, int]] = []
    end = 0
    for layout in layouts:
        pieces += [(one.start, one.start + one.size) for one in layout.ram]
        containers = [(layout.base, layout.base + layout.size)] if layout.size else []
        if not layout.devices:
            pieces += containers
        end = max((behind for _, behind in (*pieces, *containers)), default=end)
        for device in layout.devices:
            pieces.extend(_busy(device) if cut_unmapped else [(device.start, device.start + device.size)])
    return BrokenAxis.around(pieces, end or 4 * GiB)


def _busy(device: DeviceLayout) -> list[tuple[int, int]]:
    """Return where something is mapped, usable or requested, with a memslot of margin."""
    margin = device.decision.memslot_size
    used = max(device.usable_region_size, device.requested_size)
    pieces = [(0, used + margin), (device.size - margin, device.size)]
    pieces.extend((first - margin, last + margin) for first, last in _runs(device))
    return [(device.start + max(low, 0), device.start + min(high, device.size)) for low, high in pieces]


def _runs(device: DeviceLayout) -> Iterable[tuple[int, int]]:
    """Yield runs of mapped memslots as offsets."""
    memslots = memslot_columns(device)
    edges = np.diff(np.concatenate(([0], memslots.mapped.astype(np.int8), [0])))
    slot_end = memslots.offset + memslots.size
    for first, behind in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        yield int(memslots.offset[first]), int(slot_end[behind - 1])


def memory_map_columns(layout: Drawable, axis: BrokenAxis, theme: Theme, *, notice: str = "") -> dict[str, Columns]:
    """Return the columns of every data source of the memory map.

    Parameters
    ----------
    notice
        A text in the middle of the map; empty for none.
    """
    slots = slot_columns(layout, axis)
    return {
        "boxes": box_columns(layout, axis, theme),
        "slots": slots,
        "runs": run_columns(slots),
        "gaps": gap_columns(axis),
        "markers": marker_columns(layout, axis),
        "labels": label_columns(layout, axis, theme),
        "notice": {"x": [axis.end / 2], "y": [_Y["memslots"]], "text": [notice]}
        if notice
        else {"x": [], "y": [], "text": []},
    }


# -- boxes ------------------------------------------------------------------------------------------------------------


class _Box(NamedTuple):
    start: int
    end: int
    bottom: float
    top: float
    role: str
    what: str
    range: str
    size: str
    state: str


class _Boxes:
    """Collects boxes of all lanes but the memslots."""

    def __init__(self) -> None:
        self.rows: list[_Box] = []

    def add(
        self, lane: str, role: str, start: int, size: int, what: str, state: str = "", y: tuple[float, float] = _ACROSS
    ) -> None:
        self.rows.append(
            _Box(
                start,
                start + size,
                _Y[lane] + y[0],
                _Y[lane] + y[1],
                role,
                what,
                hex_range(start, size),
                shown_size(size),
                state,
            )
        )


def box_columns(layout: Drawable, axis: BrokenAxis, theme: Theme) -> Columns:
    """Return everything but memslots and gaps: RAM, the device-memory container, devices, plugged extents, requests."""
    boxes = _Boxes()
    for piece in layout.ram:
        boxes.add("boot RAM", "ram", piece.start, piece.size, "boot RAM", "always mapped")
    if layout.size:
        taken = sum(one.size for one in layout.devices)
        state = f"{shown_size(taken)} in devices" if taken else "no device"
        boxes.add("device memory", "container", layout.base, layout.size, "device-memory", state)
    for device in layout.devices:
        _add_device(boxes, device)
    roles = [one.role for one in boxes.rows]
    return {
        "left": axis.place([one.start for one in boxes.rows]).tolist(),
        "right": axis.place([one.end for one in boxes.rows]).tolist(),
        "bottom": [one.bottom for one in boxes.rows],
        "top": [one.top for one in boxes.rows],
        "role": roles,
        **theme.columns(roles),
        **{name: [getattr(one, name) for one in boxes.rows] for name in BOX_COLUMNS},
    }


def _add_device(boxes: _Boxes, device: DeviceLayout) -> None:
    is_virtio_mem = device.type == "virtio-mem"
    how = "its RAM itself is mapped" if device.decision.direct else f"a container with {device.decision.count} memslots"
    boxes.add(
        "devices",
        "device" if is_virtio_mem else "dimm",
        device.start,
        device.size,
        f"{device.type} {device.id}",
        how,
    )
    extents, plugged = merged_extents(np.array(device.plugged, dtype=np.int64).reshape(-1, 2), MAX_EXTENTS)
    for (start, end), inside in zip(extents.tolist(), plugged.tolist(), strict=True):
        whole = inside == end - start
        boxes.add(
            "plugged",
            "plugged",
            device.start + start,
            end - start,
            f"plugged in {device.id}",
            "plugged" if whole else f"{shown_size(inside)} of it plugged, drawn as one",
        )
    if is_virtio_mem:
        usable, asked = device.usable_region_size, device.requested_size
        boxes.add("requested", "usable", device.start, usable, f"usable region of {device.id}", y=(-0.4, -0.08))
        boxes.add("requested", "requested", device.start, asked, f"requested of {device.id}", y=(-0.32, -0.16))


def merged_extents(extents: Bytes, most: int) -> tuple[Bytes, Bytes]:
    """Join the extents with the smallest gaps between them until at most `most` are left.

    Returns
    -------
    tuple
        The extents, and the plugged bytes in each.
    """
    size = extents[:, 1] - extents[:, 0]
    if len(extents) <= most:
        return extents, size
    gaps = extents[1:, 0] - extents[:-1, 1]
    kept = np.sort(np.argsort(gaps, kind="stable")[-(most - 1) :]) if most > 1 else np.zeros(0, dtype=np.int64)
    first = np.concatenate(([0], kept + 1))
    last = np.concatenate((kept, [len(extents) - 1]))
    return np.column_stack((extents[first, 0], extents[last, 1])), np.add.reduceat(size, first)


# -- memslots ---------------------------------------------------------------------------------------------------------


def slot_columns(layout: Drawable, axis: BrokenAxis) -> Columns:
    """Return one row for each memslot that lies in its device, of all devices."""
    parts = [_slots_of(one) for one in layout.devices]
    start, size, index, offset, plugged, state = (
        np.concatenate([part[column] for part in parts]) if parts else np.zeros(0, dtype=np.int64)
        for column in range(6)
    )
    return {
        "left": axis.place(start),
        "right": axis.place(start + size),
        "index": index.astype(np.int32),
        "start": start.astype(np.float64),
        "offset": offset.astype(np.float64),
        "size": size.astype(np.float64),
        "plugged": plugged.astype(np.float64),
        "state": state.astype(np.uint8),
        "device": [one.id for one, part in zip(layout.devices, parts, strict=True) for _ in range(len(part[0]))],
    }


def run_columns(slots: Columns) -> Columns:
    """Return one row for each run of neighbouring memslots in the same state: few, however many memslots there are.

    Parameters
    ----------
    slots
        What `slot_columns` returns.
    """
    left, right, state = (np.asarray(slots[name]) for name in ("left", "right", "state"))
    borders = np.flatnonzero((state[1:] != state[:-1]) | (left[1:] != right[:-1])) + 1
    first = np.concatenate(([0], borders)) if len(left) else borders
    last = np.concatenate((borders - 1, [len(left) - 1])) if len(left) else borders
    roles = list(SLOT_STATES)
    return {
        "left": left[first].tolist(),
        "right": right[last].tolist(),
        "role": [roles[one] for one in state[first].tolist()],
    }


def _slots_of(device: DeviceLayout) -> tuple[Bytes, ...]:
    """Return start, size, index, offset, plugged bytes and number of the state of the memslots inside the device."""
    memslots = memslot_columns(device)
    size = np.minimum(memslots.size, device.size - memslots.offset)
    # a surplus memslot of the RFC lies behind the end: nothing of it can be drawn
    inside = np.flatnonzero(size > 0)
    size, plugged, mapped = size[inside], memslots.plugged[inside], memslots.mapped[inside]
    state = np.where(~mapped, 0, np.where(plugged == 0, 1, np.where(plugged < size, 2, 3)))
    offset = memslots.offset[inside]
    return device.start + offset, size, inside, offset, plugged, state


# -- labels, gaps, markers --------------------------------------------------------------------------------------------


def label_columns(layout: Drawable, axis: BrokenAxis, theme: Theme) -> Columns:
    """Return all texts: boxes' names and lengths of cut gaps; the browser shows those that fit."""
    rows: list[tuple[str, str, int, int, int, float, bool, str]] = []
    end = int(axis.addresses[-1])
    for number, piece in enumerate(layout.ram):
        is_last = number == len(layout.ram) - 1
        text = " + ".join(shown_size(one.size) for one in layout.ram) if is_last else ""
        behind = piece.start + piece.size
        rows.append((f"boot RAM {text}" if is_last else "", "", piece.start, behind, end, _Y["boot RAM"], False, "ram"))
    if layout.size:
        behind = layout.base + layout.size
        text = f"device-memory {shown_size(layout.size)}"
        rows.append((text, "device-memory", layout.base, behind, behind, _Y["device memory"], False, "container"))
    for device, following in zip(layout.devices, [*layout.devices[1:], None], strict=False):
        behind = device.start + device.size
        room = following.start if following else end
        text = f"{device.id}: {device.type}, {shown_size(device.size)}"
        rows.append((text, device.id, device.start, behind, behind, _Y["devices"], False, "device"))
        if device.type == "virtio-mem":
            text = f"requested {shown_size(device.requested_size)}, usable {shown_size(device.usable_region_size)}"
            rows.append((text, "", device.start, device.start, room, _Y["requested"] + 0.16, False, "usable"))
            text = f"{shown_size(device.plugged_size)} plugged"
            plugged_end = device.start + (device.plugged[-1][1] if device.plugged else 0)
            if len(device.plugged) == 1:
                begin = device.start + device.plugged[0][0]
            else:
                # text over several extents could not be read, nor across the marker of the request where there is room
                marker = device.start + device.requested_size
                begin = plugged_end = marker if plugged_end < marker < behind else plugged_end
            rows.append((text, "", begin, plugged_end, room, _Y["plugged"], False, "plugged"))
    for low, high in axis.gaps.astype(np.int64).tolist():
        length = format_size(high - low, digits=2)
        rows.append((f"⋯ {length} ⋯", length, low, high, high, TOP, True, "gap"))
    columns = list(zip(*rows, strict=True)) if rows else [()] * 8
    texts, briefs, left, right, until, y, centred, role = (list(one) for one in columns)
    left_place = axis.place(left).tolist()
    inside = [theme.look(one).text for one in role]
    return {
        "text": texts,
        "brief": briefs,
        "left": left_place,
        "right": axis.place(right).tolist(),
        "until": axis.place(until).tolist(),
        "y": y,
        "centred": centred,
        "inside": inside,
        "outside": [theme.text] * len(rows),
        "x": list(left_place),
        "shown": [""] * len(rows),
        "color": list(inside),
    }


def gap_columns(axis: BrokenAxis) -> Columns:
    """Return the bands that mark where the axis is cut."""
    low, high = axis.gaps[:, 0].astype(np.int64).tolist(), axis.gaps[:, 1].astype(np.int64).tolist()
    return {
        "left": axis.place(low).tolist(),
        "right": axis.place(high).tolist(),
        "range": [hex_range(start, end - start) for start, end in zip(low, high, strict=True)],
        "size": [shown_size(end - start) for start, end in zip(low, high, strict=True)],
    }


def marker_columns(layout: Drawable, axis: BrokenAxis) -> Columns:
    """Return vertical lines at the ends of the requested size and of the usable region of each virtio-mem device."""
    rows: list[tuple[int, float, str]] = []
    for device in layout.devices:
        if device.type == "virtio-mem":
            rows.append((device.start + device.requested_size, _Y["plugged"] + 0.5, "solid"))
            rows.append((device.start + device.usable_region_size, _Y["memslots"] + 0.5, "dashed"))
    at, top, dash = (list(one) for one in (zip(*rows, strict=True) if rows else [()] * 3))
    return {"x": axis.place(at).tolist(), "bottom": [0.55] * len(rows), "top": top, "dash": dash}
