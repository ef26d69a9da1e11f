"""Frame store: everything that a page shows at its positions, with each distinct value and column stored once.

Neighbouring positions differ in little. A column is therefore runs over a table of values (the same value again, or
the next ones in the table), a data source is a list of columns, a frame is a list of both; and all of them are
numbers of things that were seen before. A thousand positions with a thousand memslots take some hundred kilobytes.

What differs between the light and the dark theme is a value of its own, ``{"light": ..., "dark": ...}``.
"""

import json
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from workbook.lib.errors import BadInput

__all__ = ("FrameStore",)


class _Numbered:
    """Gives equal things the same number, in the order in which they come."""

    def __init__(self) -> None:
        self.things: list[Any] = []
        self._numbers: dict[Hashable, int] = {}

    def number(self, thing: Any, key: Hashable) -> int:
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.things)
            self.things.append(thing)
        return found


class FrameStore:
    """Collects values, columns, groups of columns and frames."""

    def __init__(self) -> None:
        self._values, self._columns, self._groups, self._frames = (_Numbered() for _ in range(4))
        self._seen: dict[Hashable, int] = {}

    def value(self, light: Any, dark: Any = None) -> int:
        """Store one value; `dark` where the dark theme has another one."""
        light = _plain(light)
        dark = light if dark is None else _plain(dark)
        key = _key(light) if light == dark else (_key(light), _key(dark))
        return self._values.number(light if light == dark else {"light": light, "dark": dark}, key)

    def column(self, light: Iterable[Any], dark: Iterable[Any] | None = None) -> int:
        """Store a column as runs ``first, count, step`` over the table of values.

        Raises
        ------
        BadInput
            The two themes have columns of different lengths.
        """
        values = _listed(light)
        others = values if dark is None else _listed(dark)
        if len(values) != len(others):
            raise BadInput(f"a column has {len(values)} rows in light and {len(others)} in dark: give as many")
        # 1 and True are equal keys, and not the same in a page
        key = (tuple(values), tuple(map(type, values)), tuple(others) if others != values else None)
        found = self._seen.get(key)
        if found is None:
            numbers = [self.value(*both) for both in zip(values, others, strict=True)]
            runs = tuple(_runs(numbers))
            found = self._seen[key] = self._columns.number(runs, runs)
        return found

    def group(self, columns: Sequence[int]) -> int:
        """Store which columns belong together."""
        return self._groups.number(tuple(columns), tuple(columns))

    def frame(self, parts: Sequence[int]) -> int:
        """Store what a position shows."""
        return self._frames.number(tuple(parts), tuple(parts))

    def plain(self) -> dict[str, Any]:
        """Return everything as plain JSON data."""
        return {
            "values": self._values.things,
            "columns": self._columns.things,
            "groups": self._groups.things,
            "frames": self._frames.things,
        }


def _key(value: Any) -> Hashable:
    """Tell 1, 1.0 and True apart no more than JSON does."""
    if isinstance(value, str):
        return value
    return json.dumps(value), type(value) is bool


def _listed(column: Iterable[Any]) -> list[Any]:
    return column.tolist() if isinstance(column, np.ndarray) else list(column)


def _plain(value: Any) -> Any:
    """Write whole numbers without a fraction: addresses are float64 in charts."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


def _runs(numbers: Sequence[int]) -> Iterable[int]:
    at = 0
    while at < len(numbers):
        end = at + 1
        step = numbers[end] - numbers[at] if end < len(numbers) else 0
        if step not in (0, 1):
            step = 0
        else:
            while end < len(numbers) and numbers[end] == numbers[end - 1] + step:
                end += 1
        yield from (numbers[at], end - at, step)
        at = end
