"""The rows behind memory listener callbacks, in order: ranges, labels, and what is missing for a moment."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from workbook.lib.memory.flatview import Change, ChangeKind, missing_for_a_moment
from workbook.lib.size import GiB, shown_size

from .broken_axis import BrokenAxis
from .memory_map import hex_range
from .table import Columns
from .theme import Theme

__all__ = (
    "MOST_ROWS",
    "NOTHING",
    "ROLES",
    "axis_of",
    "events_in_words",
    "headline",
    "label_columns",
    "listener_columns",
    "missing_columns",
)

ROLES: Final = {ChangeKind.DEL: "del", ChangeKind.ADD: "add", ChangeKind.NOP: "nop"}
NOTHING: Final = "Nothing changes: no region_del, no region_add."
MOST_ROWS: Final = 24
"""Rows that get their full height and a name; more of them share the space."""


def axis_of(changes: Sequence[Change]) -> BrokenAxis:
    """Return an axis that shows all ranges to scale."""
    pieces = [(one.range.start, one.range.end) for one in changes]
    return BrokenAxis.around(pieces, max((end for _, end in pieces), default=4 * GiB))


def listener_columns(changes: Sequence[Change], axis: BrokenAxis, theme: Theme) -> Columns:
    """Return one row per callback, in order; the first one at y = -1, downwards."""
    ranges = [one.range for one in changes]
    number = np.arange(1, len(changes) + 1)
    return {
        "left": axis.place([one.start for one in ranges]),
        "right": axis.place([one.end for one in ranges]),
        "bottom": -number - 0.38,
        "top": -number + 0.38,
        "number": number.tolist(),
        "kind": [one.kind.value for one in changes],
        "range": [hex_range(one.start, one.size) for one in ranges],
        "size": [shown_size(one.size) for one in ranges],
        "bytes": [one.size for one in ranges],
        "memory": [f"{one.region.name} +{one.offset:#x}" for one in ranges],
        "role": [ROLES[one.kind] for one in changes],
        **theme.columns([ROLES[one.kind] for one in changes]),
    }


def label_columns(changes: Sequence[Change], axis: BrokenAxis, theme: Theme) -> Columns:
    """Return one row per callback with what stands on it; none where there are more than `MOST_ROWS`."""
    ranges = [one.range for one in changes] if len(changes) <= MOST_ROWS else []
    left = axis.place([one.start for one in ranges])
    inside = [theme.look(ROLES[one.kind]).text for one in changes[: len(ranges)]]
    return {
        "text": [f"{shown_size(one.size)}  {hex_range(one.start, one.size)}" for one in ranges],
        "brief": [shown_size(one.size) for one in ranges],
        "left": left,
        "right": axis.place([one.end for one in ranges]),
        "until": np.full(len(ranges), axis.end),
        "y": -np.arange(1.0, len(ranges) + 1),
        "centred": [False] * len(ranges),
        "inside": inside,
        "outside": [theme.text] * len(ranges),
        "x": left.copy(),
        "shown": [""] * len(ranges),
        "color": list(inside),
    }


def missing_columns(changes: Sequence[Change], axis: BrokenAxis) -> Columns:
    """Return one row per range that is missing for a moment."""
    ranges = missing_for_a_moment(changes)
    return {
        "left": axis.place([low for low, _ in ranges]),
        "right": axis.place([high for _, high in ranges]),
        "range": [hex_range(low, high - low) for low, high in ranges],
        "size": [shown_size(high - low) for low, high in ranges],
    }


def headline(changes: Sequence[Change]) -> str:
    """Return how many callbacks there are of each kind, and the bytes that are missing for a moment."""
    counts = {kind: sum(one.kind is kind for one in changes) for kind in ChangeKind}
    if not counts[ChangeKind.DEL] and not counts[ChangeKind.ADD]:
        return NOTHING
    text = ", ".join(f"{number:,} {kind.value}" for kind, number in counts.items())
    size = sum(high - low for low, high in missing_for_a_moment(changes))
    return f"{text}; {f'{shown_size(size)} missing for a moment' if size else 'nothing is missing in between'}"


def events_in_words(changes: Sequence[Change]) -> str:
    """Return a line with the numbers, and one line per callback that is not a ``region_nop``."""
    lines = [
        f"{number}. {one.kind.value} {hex_range(one.range.start, one.range.size)} ({shown_size(one.range.size)})"
        for number, one in enumerate(changes, start=1)
        if one.kind is not ChangeKind.NOP
    ]
    return "\n".join([headline(changes), *lines])
