"""Frame store: everything that a page shows at its positions, with each distinct value and column stored once.

Neighbouring positions differ in little. A column is therefore runs over a table of values (the same value again, or
the next ones in the table), a data source is a list of columns, a frame is a list of both; and all of them are
numbers of things that were seen before. A thousand positions with a thousand memslots take some hundred kilobytes.
"""

import json
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

__all__ = ("FrameStore",)


class _Numbered:
    """Gives equal things the same number, in the order in which they come."""

    def __init__(self) -> None:
        self.things: list[object] = []
        self._numbers: dict[Hashable, int] = {}

    def number(self, thing: object, key: Hashable) -> int:
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

    def value(self, value: object) -> int:
        """Store one value."""
        plain = _plain(value)
        return self._values.number(plain, _key(plain))

    def column(self, column: Iterable[object]) -> int:
        """Store a column as runs ``first, count, step`` over the table of values."""
        key: Hashable
        if isinstance(column, np.ndarray):
            key, values = (column.dtype.str, column.tobytes()), None
        else:
            values = list(column)
            # 1 and True are equal keys, and not the same in a page
            key = (tuple(values), tuple(map(type, values)))
        found = self._seen.get(key)
        if found is None:
            numbers = [self.value(one) for one in (column.tolist() if isinstance(column, np.ndarray) else values or ())]
            runs = tuple(_runs(numbers))
            found = self._seen[key] = self._columns.number(runs, runs)
        return found

    def group(self, columns: Sequence[int]) -> int:
        """Store which columns belong together."""
        return self._groups.number(tuple(columns), tuple(columns))

    def frame(self, parts: Sequence[int]) -> int:
        """Store what a position shows."""
        return self._frames.number(tuple(parts), tuple(parts))

    def plain(self) -> dict[str, object]:
        """Return everything as plain JSON data."""
        return {
            "values": self._values.things,
            "columns": self._columns.things,
            "groups": self._groups.things,
            "frames": self._frames.things,
        }


def _key(value: object) -> Hashable:
    """Tell 1, 1.0 and True apart no more than JSON does."""
    if isinstance(value, list | dict):
        return "JSON", json.dumps(value)
    return (bool, value) if isinstance(value, bool) else value


def _plain(value: object) -> object:
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
