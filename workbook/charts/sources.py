"""Giving a data source new columns: in one assignment, and only if something changed."""

from collections.abc import Mapping

import numpy as np
from bokeh.models import ColumnDataSource

from workbook.columns.table import Column

__all__ = ("show",)


def show(source: ColumnDataSource, columns: Mapping[str, Column]) -> None:
    """Let `source` hold `columns`; what is equal is not sent to the browser again."""
    old = source.data
    if old.keys() != columns.keys():
        source.data = dict(columns)
    elif changed := {name: column for name, column in columns.items() if not _equal(old[name], column)}:
        # of one length with the others all the time: one message either way
        old.update(changed)


def _equal(old: object, new: object) -> bool:
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        return np.array_equal(old, new)
    return type(old) is type(new) and bool(old == new)
