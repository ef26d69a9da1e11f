"""The decision at each point of a grid, and where it changes."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Self

from .arrays import np, npt
from .grid import ABSENT, Grid, Ints, Slices

__all__ = ("Result", "Verdict", "after", "flips")


class Verdict(IntEnum):
    """Result of the check before plugging; of several reasons the first, in QEMU's order."""

    ACCEPTED = 0
    RULE = 1
    """A cap of the rule set's own, such as the 2048 memslots of the 2021 series."""
    KVM = 2
    VHOST = 3
    SPACE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The decision at each point of a grid.

    Attributes
    ----------
    limit, count, memslot_size
        As in `Decision`.
    verdict
        A `Verdict` as uint8: whether `RuleSet.check` would let the device be plugged.
    """

    limit: Ints
    count: Ints
    memslot_size: Ints
    verdict: npt.NDArray[np.uint8]

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Self:
        """Return arrays for `shape`, not filled: 25 bytes a point."""
        limit, count, memslot_size = (np.empty(shape, np.int64) for _ in range(3))
        return cls(limit, count, memslot_size, np.empty(shape, np.uint8))

    def __getitem__(self, where: Slices) -> "Result":
        """Return views of the points in `where`."""
        return Result(self.limit[where], self.count[where], self.memslot_size[where], self.verdict[where])

    @property
    def shape(self) -> tuple[int, ...]:
        """Points along each axis."""
        return self.verdict.shape

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self.limit.nbytes + self.count.nbytes + self.memslot_size.nbytes + self.verdict.nbytes


def after(grid: Grid, result: Result, *, mapped: int = 0) -> Grid:
    """Return the environments once each device is plugged, where it could be, and its guest uses nothing yet.

    Parameters
    ----------
    mapped
        Memslots that the device maps by being plugged: 1 where its RAM is mapped directly, otherwise 0.

    Returns
    -------
    The same grid with more used space and more promised memslots; where the device was refused, as it was.
    """
    plugged = result.verdict == Verdict.ACCEPTED
    free = {
        name: np.where(column == ABSENT, ABSENT, np.maximum(column - mapped * plugged, 0))
        for name, column in (("kvm_free", grid.kvm_free), ("vhost_free", grid.vhost_free))
    }
    return Grid(
        region_size=grid.region_size,
        device_memory_size=grid.device_memory_size,
        used_region_size=grid.used_region_size + grid.region_size * plugged,
        required=grid.required + result.count * plugged,
        used=grid.used + mapped * plugged,
        kvm_max=grid.kvm_max,
        vhost_max=grid.vhost_max,
        block_size=grid.block_size,
        max_memslots=grid.max_memslots,
        **free,
    )


def flips(values: Result | npt.NDArray[Any], axis: int) -> npt.NDArray[np.bool_]:
    """Return between which neighbours along an axis something changes.

    Parameters
    ----------
    values
        An array over the grid; a `Result`: its count, memslot size or verdict.

    Returns
    -------
    Shorter by one along `axis`: True at i where points i and i + 1 differ.
    """
    if isinstance(values, Result):
        return flips(values.count, axis) | flips(values.memslot_size, axis) | flips(values.verdict, axis)
    moved = np.moveaxis(values, axis, -1)
    return np.moveaxis(moved[..., 1:] != moved[..., :-1], -1, axis)
