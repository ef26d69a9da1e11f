"""Grids: points of the design space as integer arrays that are broadcast, not laid out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from math import prod
from typing import Any, Final, NamedTuple, Self, TypeAlias

from workbook.lib.consumers.vhost_backend import UINT_MAX
from workbook.lib.errors import BadInput
from workbook.lib.rules import Budget
from workbook.lib.size import MiB, PiB

from .arrays import np, npt

__all__ = ("ABSENT", "LARGEST_SIZE", "Grid", "Ints", "Point", "Slices")

Ints: TypeAlias = npt.NDArray[np.int64]
Slices: TypeAlias = tuple[slice, ...]
Values: TypeAlias = int | Sequence[int | None] | npt.NDArray[Any] | None

ABSENT: Final = -1
"""In an array of limits or free memslots: there is no such consumer at this point. None says so for all points."""
LARGEST_SIZE: Final = 8 * PiB
"""Bytes up to which a grid reaches, 2^53."""
_SIZES: Final = frozenset({"region_size", "device_memory_size", "used_region_size", "block_size"})
_CONSUMERS: Final = frozenset({"kvm_max", "kvm_free", "vhost_max", "vhost_free"})


class Point(NamedTuple):
    """One point of a grid, as the scalar model takes it: ``rules.decide(*point)``."""

    budget: Budget
    region_size: int
    block_size: int
    max_memslots: int


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Grid:
    """Points of the design space: numbers, or integer arrays that can be broadcast against each other.

    Numbers alone make a grid of one point, of shape (1,).

    Parameters
    ----------
    region_size
        Of the device to be plugged, bytes; at least 1.
    device_memory_size, used_region_size, required, used
        As in `Budget`.
    kvm_max, kvm_free, vhost_max, vhost_free
        As in `Budget`; None, or `ABSENT` in an array, where there is no such consumer.
    block_size, max_memslots
        As in `RuleSet.decide`.

    Raises
    ------
    BadInput
        Not integers, out of range (sizes to `LARGEST_SIZE`, counts to 2^32 - 1), or shapes that do not fit.

    Examples
    --------
    >>> from workbook.lib.size import GiB
    >>> from workbook.lib.sweep import sweep
    >>> sizes = [GiB << power for power in range(10)]
    >>> grid = Grid.over(region_size=sizes, kvm_free=[55, 500], device_memory_size=512 * GiB)
    >>> grid.shape
    (10, 2)
    >>> sweep("rfc-2021", grid).count[-1].tolist()
    [32, 256]
    """

    region_size: Ints
    device_memory_size: Ints
    used_region_size: Ints
    required: Ints
    used: Ints
    kvm_max: Ints
    kvm_free: Ints
    vhost_max: Ints
    vhost_free: Ints
    block_size: Ints
    max_memslots: Ints

    def __init__(
        self,
        *,
        region_size: Values,
        device_memory_size: Values,
        used_region_size: Values = 0,
        required: Values = 0,
        used: Values = 0,
        kvm_max: Values = None,
        kvm_free: Values = None,
        vhost_max: Values = None,
        vhost_free: Values = None,
        block_size: Values = 2 * MiB,
        max_memslots: Values = 0,
    ) -> None:
        given = {
            "region_size": region_size,
            "device_memory_size": device_memory_size,
            "used_region_size": used_region_size,
            "required": required,
            "used": used,
            "kvm_max": kvm_max,
            "kvm_free": kvm_free,
            "vhost_max": vhost_max,
            "vhost_free": vhost_free,
            "block_size": block_size,
            "max_memslots": max_memslots,
        }
        columns = {name: _column(name, values) for name, values in given.items()}
        try:
            shape = np.broadcast_shapes((1,), *(column.shape for column in columns.values()))
        except ValueError:
            shapes = ", ".join(f"{name} {column.shape}" for name, column in columns.items() if column.ndim)
            raise BadInput(f"the arrays of a grid do not fit each other: {shapes}") from None
        for name, column in columns.items():
            padded = column.reshape((1,) * (len(shape) - column.ndim) + column.shape)
            object.__setattr__(self, name, padded)

    @classmethod
    def over(cls, **values: Values) -> Self:
        """Make a grid in which every list or one-dimensional array is an axis of its own, in the order given."""
        lines = {name: np.asarray(one) for name, one in values.items() if isinstance(one, Sequence | np.ndarray)}
        lines = {name: line for name, line in lines.items() if line.ndim == 1}
        for place, (name, line) in enumerate(lines.items(), start=1):
            values[name] = line.reshape((-1,) + (1,) * (len(lines) - place))
        return cls(**values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Points along each axis."""
        return np.broadcast_shapes(*(column.shape for column in self._columns()))

    @property
    def size(self) -> int:
        """Number of points."""
        return prod(self.shape)

    def __getitem__(self, where: tuple[slice, ...]) -> "Grid":
        """Return the points in `where`, one slice for each axis; nothing is copied."""
        piece = object.__new__(Grid)
        for name, column in zip(_NAMES, self._columns(), strict=True):
            cut = (slice(None) if length == 1 else one for one, length in zip(where, column.shape, strict=True))
            object.__setattr__(piece, name, column[tuple(cut)])
        return piece

    def points(self) -> Iterator[Point]:
        """Yield all points, the last axis fastest."""
        flat = (np.broadcast_to(column, self.shape).ravel().tolist() for column in self._columns())
        for values in zip(*flat, strict=True):
            named = dict(zip(_NAMES, values, strict=True))
            for name in _CONSUMERS:
                named[name] = None if named[name] == ABSENT else named[name]
            device = {name: named.pop(name) for name in ("region_size", "block_size", "max_memslots")}
            yield Point(Budget(**named), **device)

    def _columns(self) -> tuple[Ints, ...]:
        return tuple(getattr(self, name) for name in _NAMES)


_NAMES: Final = tuple(field.name for field in fields(Grid))


def _column(name: str, values: Values) -> Ints:
    """Check one field of a grid and make it an array."""
    consumer = name in _CONSUMERS
    array = np.asarray(ABSENT if consumer and values is None else values)
    if consumer and array.dtype == object:
        array = np.asarray([ABSENT if one is None else one for one in array.flat]).reshape(array.shape)
    least = ABSENT if consumer else int(name == "region_size")
    most = LARGEST_SIZE if name in _SIZES else UINT_MAX
    if array.dtype.kind not in "iu" and array.size:
        raise BadInput(f"{name} must be whole numbers from {least} to {most}, not {array.flat[0]!r:.60}")
    if array.size and not (least <= array.min() and array.max() <= most):
        wrong = array.min() if array.min() < least else array.max()
        raise BadInput(f"{name} {wrong} is out of a grid's range, {least} to {most}: ask the scalar model there")
    return array.astype(np.int64)
