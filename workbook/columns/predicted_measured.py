"""The points of prediction and measurement: one per host, layout and part."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from workbook.lib.cost.measurements import MeasuredHost, MeasuredLayout
from workbook.lib.size import shown_size

__all__ = (
    "PARTS",
    "TOTAL",
    "MeasuredPoint",
    "point_rows",
)

PARTS: Final = {"rmap": "circle", "gfn_track": "square", "lpage_info": "triangle", "dirty_bitmap": "diamond"}
"""Part -> marker; `TOTAL` where no parts could be measured."""
TOTAL: Final = "total"


class MeasuredPoint(NamedTuple):
    """A point: bytes predicted and measured, and what there is to say of them."""

    predicted: float
    measured: float
    part: str
    host: str
    layout: str
    predicted_text: str
    measured_text: str
    verdict: str


def point_rows(hosts: Sequence[MeasuredHost]) -> list[MeasuredPoint]:
    """Return one row per host, layout and part that is not 0 in both: bytes, and what there is to say of them."""
    return [row for host in hosts for layout in host.layouts for row in _rows(host, layout)]


def _rows(host: MeasuredHost, layout: MeasuredLayout) -> list[MeasuredPoint]:
    if layout.parts is None:
        pairs = [(TOTAL, layout.predicted.total, layout.total)]
    else:
        pairs = [(name, size, layout.parts[name]) for name, size in layout.predicted.as_dict().items()]
    rows: list[MeasuredPoint] = []
    for part, predicted, measured in pairs:
        if not predicted and not measured:
            continue
        off = measured - predicted
        near = "within the uncertainty" if layout.parts is None and abs(off) <= layout.uncertainty else ""
        verdict = "equal" if not off else near or f"{off:+,} bytes"
        shown, found = (f"{shown_size(size)} ({size:,} B)" for size in (predicted, measured))
        rows.append(MeasuredPoint(predicted, measured, part, host.name, layout.name, shown, found, verdict))
    return rows
