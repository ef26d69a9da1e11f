"""The rows behind bars of costs: one per case and part, and one per case."""

from collections.abc import Iterable, Mapping
from typing import Final

from workbook.lib.cost.kvm import Cost
from workbook.lib.size import format_size

from .table import Columns
from .theme import Theme

__all__ = (
    "HATCHES",
    "Cases",
    "overhead_columns",
    "pairs_of",
    "total_columns",
    "total_text",
)

Cases = Mapping[str, Cost] | Iterable[tuple[str, Cost]]
HATCHES: Final = (" ", "/", ".", "\\", "x", "-", "+", "o")
"""Of the parts, in order; the column ``role`` names it."""


def overhead_columns(cases: Cases, theme: Theme) -> Columns:
    """Return one row per case and part: where its piece of the bar lies (bytes), and what there is to say of it."""
    rows: list[tuple[object, ...]] = []
    known: dict[str, int] = {}
    for case, cost in pairs_of(cases):
        left = 0
        for part in cost.parts:
            number = known.setdefault(part.name, len(known))
            share = f", {100 * part.bytes / cost.total:.1f} % of the bar" if cost.total else ""
            rows.append(
                (
                    case,
                    part.name,
                    float(left),
                    float(left + part.bytes),
                    f"{format_size(part.bytes, digits=2)}{share}",
                    f"{part.bytes:,}",
                    part.formula,
                    part.when,
                    part.source,
                    theme.series[number % len(theme.series)],
                    HATCHES[number % len(HATCHES)],
                )
            )
            left += part.bytes
    columns = zip(*rows, strict=True) if rows else ((),) * len(_COLUMNS)
    return {name: list(column) for name, column in zip(_COLUMNS, columns, strict=True)}


def total_columns(cases: Cases) -> Columns:
    """Return one row per case: the total in bytes and its text."""
    pairs = pairs_of(cases)
    return {
        "case": [case for case, _ in pairs],
        "total": [float(cost.total) for _, cost in pairs],
        "text": [total_text(cost) for _, cost in pairs],
    }


def pairs_of(cases: Cases) -> list[tuple[str, Cost]]:
    """Return the cases as pairs of name and cost."""
    return list(cases.items() if isinstance(cases, Mapping) else cases)


def total_text(cost: Cost) -> str:
    """Return the total of a cost as a chart shows it."""
    return format_size(cost.total, digits=1) if cost.total else "nothing"


_COLUMNS: Final = (*("case", "part", "left", "right", "size", "bytes", "formula", "when", "source", "color", "role"),)
