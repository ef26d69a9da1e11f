"""Memslots to make: packed, random, and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Self

import numpy as np

from workbook.lib.errors import BadInput
from workbook.lib.size import KiB, TiB, format_size, round_down, round_up

__all__ = ("Layout",)


@dataclass(frozen=True, slots=True)
class Layout:
    """Memslots to make: size and guest physical start of each, in bytes.

    Parameters
    ----------
    sizes, bases
        One entry per memslot; they must not overlap.

    Raises
    ------
    BadInput
        No memslot at all, or not one start for each size.
    """

    sizes: tuple[int, ...]
    bases: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.sizes or len(self.sizes) != len(self.bases):
            raise BadInput(
                f"a layout of {len(self.sizes)} sizes and {len(self.bases)} starts cannot be made: "
                "give at least one memslot and one start for each"
            )

    @classmethod
    def packed(cls, count: int, size: int) -> Self:
        """Return `count` memslots of `size` bytes back to back from address 0."""
        return cls((size,) * count, tuple(range(0, count * size, size)))

    @classmethod
    def random(cls, seed: int, *, max_slots: int = 64, end: int = TiB, page: int = 4 * KiB) -> Self:
        """Return memslots of any size and alignment, with and without gaps; the same for the same `seed`.

        Parameters
        ----------
        seed
            Which layout.
        max_slots
            Most memslots.
        end
            Guest physical address that no memslot reaches beyond.
        page
            Host page in bytes, the unit of everything.
        """
        rng = np.random.default_rng(seed)
        room = end // page
        sizes, bases, at = [], [], 0
        for _ in range(int(rng.integers(1, max_slots, endpoint=True))):
            # sizes and gaps over all orders of magnitude; every other one a multiple of 2 MiB or 1 GiB
            size, gap = (int(2 ** rng.uniform(0, 23)) for _ in range(2))
            unit = int(rng.choice([1, 1, 512, 262144]))
            gap = int(rng.choice([0, 1])) * gap
            start, size = round_up(at + gap, unit), max(round_down(size, unit), unit)
            if start + size > room:
                break
            sizes.append(size * page)
            bases.append(start * page)
            at = start + size
        return cls(tuple(sizes), tuple(bases)) if sizes else cls.packed(1, page)

    def __len__(self) -> int:
        return len(self.sizes)

    def __str__(self) -> str:
        runs = [(size, len(list(group))) for size, group in groupby(self.sizes)]
        if len(runs) == 1:
            return f"{runs[0][1]} x {format_size(runs[0][0])}"
        return f"{len(self)} memslots, {format_size(sum(self.sizes), digits=1)}"

    def runs(self) -> list[list[int]]:
        """Return the layout as JSON takes it: ``[count, size, start]`` of memslots of one size back to back."""
        runs: list[list[int]] = []
        for size, base in zip(self.sizes, self.bases, strict=True):
            if runs and runs[-1][1] == size and runs[-1][2] + runs[-1][0] * size == base:
                runs[-1][0] += 1
            else:
                runs.append([1, size, base])
        return runs

    @classmethod
    def from_runs(cls, runs: Sequence[Sequence[int]]) -> Self:
        """Make a layout from `runs`'s form."""
        slots = [(size, start + index * size) for count, size, start in runs for index in range(count)]
        return cls(tuple(size for size, _ in slots), tuple(base for _, base in slots))
