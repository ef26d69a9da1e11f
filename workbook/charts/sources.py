"""Giving a data source new columns: in one assignment, and only if something changed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource

__all__ = ("show",)


def show(source: ColumnDataSource, columns: Mapping[str, Any]) -> None:
    """Let `source` hold `columns`; what is equal is not sent to the browser again."""
    old = source.data
    if old.keys() != columns.keys():
        source.data = dict(columns)
    elif changed := {name: column for name, column in columns.items() if not _equal(old[name], column)}:
        # of one length with the others all the time: one message either way
        old.update(changed)


def _equal(old: Any, new: Any) -> bool:
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        return np.array_equal(old, new)
    return type(old) is type(new) and bool(old == new)
