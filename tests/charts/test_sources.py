"""Sources: what is equal is not sent again."""

from typing import Any

import numpy as np
import pytest
from bokeh.models import ColumnDataSource

from workbook.charts.sources import show

OLD: dict[str, Any] = {"x": np.array([1.0, 2.0]), "name": ["a", "b"]}


@pytest.mark.parametrize(
    ("new", "times"),
    [
        ({"x": np.array([1.0, 2.0]), "name": ["a", "b"]}, 0),
        ({"x": np.array([1.0, 3.0]), "name": ["a", "b"]}, 1),
        ({"x": np.array([1.0, 2.0]), "name": ["a", "c"]}, 1),
        ({"x": np.array([1.0]), "name": ["a"]}, 1),
        ({"x": np.array([1.0, 2.0])}, 1),
    ],
)
def test_one_assignment_where_something_changed(new: dict[str, Any], times: int) -> None:
    """Other columns, or other values in them, are one assignment; equal ones are none."""
    source = ColumnDataSource(OLD)
    assigned: list[object] = []

    def note(_name: str, _before: object, after: object) -> None:
        assigned.append(after)

    source.on_change("data", note)
    show(source, new)
    assert len(assigned) == times
    assert {name: list(column) for name, column in source.data.items()} == {
        name: list(column) for name, column in new.items()
    }
