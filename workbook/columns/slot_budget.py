"""The rows behind the memslot budget: the pieces of each consumer's bar, and its numbers as text."""

from collections.abc import Sequence
from typing import Final

from workbook.lib.machine.snapshot import Consumer

from .table import Columns
from .theme import Theme

__all__ = (
    "FLOOR",
    "PARTS",
    "consumer_columns",
    "slot_budget_columns",
)

PARTS: Final = {
    "boot": "boot RAM and firmware",
    "used": "mapped by memory devices",
    "reserved": "reserved for them",
    "free": "free",
    "over": "more than there are",
}
FLOOR: Final = 0.8
"""Where the logarithmic axis begins: a little below a single memslot."""


def _pieces(one: Consumer) -> list[tuple[str, int]]:
    """Return role and number of each piece of the bar, in order; what exceeds the limit is a piece of its own."""
    if one.limit is None:
        return []
    left, pieces = one.limit, []
    for role, number in (("boot", one.boot), ("used", one.used), ("reserved", one.reserved)):
        pieces.append((role, min(number, left)))
        left -= pieces[-1][1]
    return [*pieces, ("free", left), ("over", max(-(one.free or 0), 0))]


def slot_budget_columns(consumers: Sequence[Consumer], theme: Theme) -> Columns:
    """Return one row per piece that is not 0, of each consumer with a limit.

    ``left`` and ``right`` are memslots, on an axis that begins at `FLOOR`.
    """
    rows: list[tuple[object, ...]] = []
    for row, one in enumerate(consumers):
        at = 0
        for role, number in _pieces(one):
            if number:
                ends = (float(at) if at else FLOOR, float(at + number))
                share = f"{100 * number / max(one.limit or 0, 1):.2f} %"
                rows.append((-row, role, *ends, one.name, PARTS[role], f"{number:,}", share, f"{one.limit:,}"))
            at += number
    names = ("y", "role", "left", "right", "consumer", "part", "memslots", "share", "limit")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)) if rows else ([] for _ in names), strict=True))
    return {**columns, **theme.columns(columns["role"])}


def consumer_columns(consumers: Sequence[Consumer]) -> Columns:
    """Return one row per consumer: its name and its numbers as text."""
    return {
        "above": [0.33 - row for row in range(len(consumers))],
        "below": [-0.33 - row for row in range(len(consumers))],
        "name": [one.name if one.limit is None else f"{one.name}: {one.limit:,} {one.unit}" for one in consumers],
        "numbers": [_short(one) for one in consumers],
    }


def _short(one: Consumer) -> str:
    """Return what stands below a bar: the numbers, and at once where there are too many."""
    if one.free is not None and one.free < 0:
        return f"{-one.free:,} TOO MANY: {one.boot:,} + {one.used:,} + {one.reserved:,}"
    return f"{one.boot:,} boot + {one.used:,} used + {one.reserved:,} reserved"
