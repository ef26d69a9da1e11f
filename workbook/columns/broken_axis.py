"""A number line with its long gaps cut short: from addresses to places on the axis and back.

Outside the cut gaps the axis is to scale, one unit per byte; a cut gap has a fixed, short length. The mapping is
strictly monotone, so that it can be undone, and exact for addresses below 2^53.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from workbook.lib.errors import BadInput

__all__ = ("BrokenAxis",)

Floats = npt.NDArray[np.float64]
CUT_FROM: Final = 0.3
"""A gap is cut where it is longer than this share of everything that is to be shown."""
CUT_TO: Final = 0.08
"""What is left of a cut gap, as the same share."""


@dataclass(frozen=True, slots=True, eq=False)
class BrokenAxis:
    """A piecewise linear, strictly growing map from addresses to places on the axis.

    Attributes
    ----------
    addresses, places
        Its knots; between them it is linear.
    gaps
        The gaps that are cut short, as (start, end) addresses; shape (n, 2).
    """

    addresses: Floats
    places: Floats
    gaps: Floats

    @classmethod
    def around(cls, shown: Iterable[tuple[int, int]], end: int) -> "BrokenAxis":
        """Make an axis from 0 to `end` that shows the pieces (start, end) to scale and cuts long gaps between them.

        Raises
        ------
        BadInput
            `end` is not positive, or a piece does not lie between 0 and `end`.
        """
        return _axis(tuple(sorted(shown)), end)

    def place(self, address: npt.ArrayLike) -> Floats:
        """Return where addresses lie on the axis; outside of it the nearest end."""
        return np.interp(np.asarray(address, dtype=np.float64), self.addresses, self.places)

    def address(self, place: npt.ArrayLike) -> Floats:
        """Return which addresses lie there: the inverse of `place`."""
        return np.interp(np.asarray(place, dtype=np.float64), self.places, self.addresses)

    @property
    def end(self) -> float:
        """The last place."""
        return float(self.places[-1])

    def same_as(self, other: "BrokenAxis") -> bool:
        """Return whether both map every address alike."""
        return np.array_equal(self.addresses, other.addresses) and np.array_equal(self.places, other.places)

    def columns(self) -> dict[str, Floats]:
        """Return the knots as columns of a data source."""
        return {"address": self.addresses, "place": self.places}


@lru_cache(maxsize=128)
def _axis(shown: tuple[tuple[int, int], ...], end: int) -> BrokenAxis:
    """Return the same axis for the same pieces: most outcomes of a slider share it."""
    if end <= 0:
        raise BadInput(f"an address axis up to {end} shows nothing: it must end above 0")
    pieces = np.array(shown, dtype=np.float64).reshape(-1, 2)
    if len(pieces) and (pieces.min() < 0 or pieces.max() > end or (pieces[:, 0] > pieces[:, 1]).any()):
        raise BadInput(f"a piece does not lie between 0 and {end:#x}: {pieces.tolist()}")
    holes = _holes(pieces, float(end))
    length = float(end) - float((holes[:, 1] - holes[:, 0]).sum())
    cut = holes[holes[:, 1] - holes[:, 0] > CUT_FROM * length] if length else holes[:0]
    short = np.floor(CUT_TO * length)
    addresses = np.unique(np.concatenate(([0.0, float(end)], cut.ravel())))
    steps = np.diff(addresses)
    steps[np.isin(addresses[:-1], cut[:, 0])] = max(short, 1.0)
    return BrokenAxis(addresses, np.concatenate(([0.0], np.cumsum(steps))), cut)


def _holes(pieces: Floats, end: float) -> Floats:
    """Return what no piece covers between 0 and `end`."""
    if not len(pieces):
        return np.array([[0.0, end]])
    covered = np.concatenate(([0.0], np.maximum.accumulate(pieces[:, 1])))
    following = np.concatenate((pieces[:, 0], [end]))
    holes = np.column_stack((covered, following))
    return holes[holes[:, 0] < holes[:, 1]]
