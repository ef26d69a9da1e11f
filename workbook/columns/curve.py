"""The points behind a curve, and as text for the hover."""

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from workbook.lib.errors import BadInput
from workbook.lib.size import shown_size

from .table import Columns

__all__ = (
    "MARKS",
    "Points",
    "Unit",
    "curve_columns",
    "mark_columns",
    "value_text",
)

Points = tuple[npt.ArrayLike, npt.ArrayLike]
Unit = Literal["bytes", "count"]
MARKS: Final = 14
"""Markers on a curve, about."""


def curve_columns(points: Points, *, x_unit: Unit, y_unit: Unit) -> Columns:
    """Return the columns of one curve: the points, and as text for the hover.

    Raises
    ------
    BadInput
        As many x as y are needed.
    """
    x, y = (np.asarray(one) for one in points)
    if x.shape != y.shape or x.ndim != 1:
        raise BadInput(f"{x.size} x for {y.size} y: a curve needs one list of each, of the same length")
    return {
        "x": x.astype(np.float64),
        "y": y.astype(np.float64),
        "x_text": [value_text(one, x_unit) for one in x.tolist()],
        "y_text": [value_text(one, y_unit) for one in y.tolist()],
    }


def mark_columns(columns: Columns, offset: int) -> Columns:
    """Return about `MARKS` of a curve's points; `offset` moves them, so that curves on each other stay visible."""
    step = max(len(columns["x"]) // MARKS, 1)
    return {name: column[offset % step :: step] for name, column in columns.items()}


def value_text(number: float, unit: Unit) -> str:
    """Return a value in its unit."""
    whole = round(number)
    if unit == "bytes":
        return f"{shown_size(whole)} ({whole:,} B)"
    return f"{whole:,}" if number == whole else f"{number:.4g}"
