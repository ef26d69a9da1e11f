"""Tables for notebooks: aligned text for nbval and for reading unexecuted, HTML for the page."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbook.lib.cost.kvm import Cost
from workbook.lib.rules import Decision

__all__ = ("Table", "cost_table", "trace_table")


@dataclass(frozen=True)
class Table:
    """Rows under named columns; numbers are set to the right.

    Parameters
    ----------
    columns
        Names.
    rows
        One value per column; shown by `str`, whole numbers with thousands separated.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    @classmethod
    def of(cls, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> "Table":
        """Build a table from any sequences."""
        return cls(tuple(columns), tuple(tuple(row) for row in rows))

    def __repr__(self) -> str:
        shown = [list(self.columns), *([_shown(value) for value in row] for row in self.rows)]
        widths = [max(len(row[index]) for row in shown) for index in range(len(self.columns))]
        right = self._numeric
        lines = [
            "  ".join(
                cell.rjust(width) if is_right else cell.ljust(width)
                for cell, width, is_right in zip(row, widths, right, strict=True)
            ).rstrip()
            for row in shown
        ]
        return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])

    def _repr_html_(self) -> str:
        align = ["right" if is_right else "left" for is_right in self._numeric]
        head = "".join(
            f"<th style='text-align:{side}'>{html.escape(name)}</th>"
            for name, side in zip(self.columns, align, strict=True)
        )
        body = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:{side}'>{html.escape(_shown(value))}</td>"
                for value, side in zip(row, align, strict=True)
            )
            + "</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    @property
    def _numeric(self) -> list[bool]:
        return [all(isinstance(row[index], int | float) for row in self.rows) for index in range(len(self.columns))]


def cost_table(cost: Cost) -> Table:
    """Show a cost part by part, with formulas and sources."""
    rows = [(part.name, part.bytes, part.formula, part.source) for part in cost.parts]
    return Table.of(("part", "bytes", "formula", "source"), [*rows, ("total", cost.total, "", "")])


def trace_table(decision: Decision) -> Table:
    """Show every intermediate value of a decision."""
    return Table.of(("step", "value", "how"), [(step.name, step.shown, step.why) for step in decision.trace])


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
