"""The axis with cut gaps: monotone, invertible, to scale where something is."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from workbook.columns.broken_axis import CUT_FROM, BrokenAxis
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB

END = 1 << 52
addresses = st.integers(0, END)
pieces = st.lists(st.tuples(addresses, addresses).map(lambda pair: (min(pair), max(pair))), max_size=12)


@given(pieces, st.lists(addresses, min_size=2, max_size=30))
def test_places_grow_with_addresses(shown: list[tuple[int, int]], given_addresses: list[int]) -> None:
    """A larger address lies further right; equal ones lie together."""
    axis = BrokenAxis.around(shown, END)
    ordered = np.unique(np.array(given_addresses, dtype=np.float64))
    knots = axis.address(axis.places)
    assert (np.diff(axis.place(ordered)) >= 0).all()
    assert (np.diff(axis.places) > 0).all()
    assert (np.diff(knots) > 0).all()


@given(pieces)
def test_shown_pieces_are_to_scale(shown: list[tuple[int, int]]) -> None:
    """One byte is one unit of the axis within every piece, exactly, and the inverse gives its ends back."""
    axis = BrokenAxis.around(shown, END)
    for start, end in shown:
        low, high = axis.place([start, end])
        assert high - low == end - start
        assert axis.address([low, high]).tolist() == [start, end]


@given(pieces, addresses)
def test_inverse(shown: list[tuple[int, int]], address: int) -> None:
    """Place and address undo each other, up to what a cut gap's short length can tell apart."""
    axis = BrokenAxis.around(shown, END)
    worst = float((np.diff(axis.addresses) / np.diff(axis.places)).max())
    assert axis.address(axis.place(address)) == pytest.approx(address, abs=max(worst * 2, 1) if worst > 1 else 0)


@given(pieces)
def test_what_is_cut(shown: list[tuple[int, int]]) -> None:
    """Cut are exactly the holes that are longer than the given share of everything shown."""
    axis = BrokenAxis.around(shown, END)
    points = sorted({0, END, *(end for piece in shown for end in piece)})
    holes: list[list[int]] = []
    for low, high in pairwise(points):
        if any(start <= low and high <= end for start, end in shown):
            continue
        if holes and holes[-1][1] == low and not any(start == end == low for start, end in shown):
            holes[-1][1] = high
        else:
            holes.append([low, high])
    length = END - sum(high - low for low, high in holes)
    expected = [hole for hole in holes if length and hole[1] - hole[0] > CUT_FROM * length]
    assert axis.gaps.tolist() == expected


def test_nothing_shown_is_not_cut() -> None:
    """Without any piece the whole axis is to scale."""
    axis = BrokenAxis.around((), 4 * GiB)
    assert axis.end == 4 * GiB
    assert len(axis.gaps) == 0


@pytest.mark.parametrize(("shown", "end"), [((), 0), (((0, 2),), 1), (((3, 2),), 8), (((-1, 2),), 8)])
def test_wrong_pieces(shown: tuple[tuple[int, int], ...], end: int) -> None:
    """Pieces outside the axis, backward ones, and an empty axis are refused."""
    with pytest.raises(BadInput, match=r"above 0|between 0 and"):
        BrokenAxis.around(shown, end)
