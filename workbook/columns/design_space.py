"""Geometry of the design space's heat maps: boxes around cells of a kind, and borders where values change."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from workbook.lib.sweep import flips
from workbook.lib.sweep.design_space import Kinds

__all__ = ("flip_segments", "runs")


def runs(kinds: Kinds, wanted: Sequence[int]) -> dict[str, list[int]]:
    """Return boxes (left, right, bottom, top in cells) around neighbours in a row that are of one of these kinds."""
    boxes: dict[str, list[int]] = {"left": [], "right": [], "bottom": [], "top": [], "kind": []}
    for row, line in enumerate(kinds):
        borders = [0, *(np.flatnonzero(flips(line, 0)) + 1).tolist(), len(line)]
        for left, right in pairwise(borders):
            if line[left] in wanted:
                for name, number in zip(boxes, (left, right, row, row + 1, int(line[left])), strict=True):
                    boxes[name].append(number)
    return boxes


def flip_segments(values: npt.NDArray[np.generic]) -> dict[str, list[int]]:
    """Return the borders between cells with different values, as segments in cells."""
    rows, columns = np.nonzero(flips(values, 1))
    x0, y0 = (columns + 1).tolist(), rows.tolist()
    x1, y1 = x0.copy(), (rows + 1).tolist()
    rows, columns = np.nonzero(flips(values, 0))
    return {
        "x0": x0 + columns.tolist(),
        "y0": y0 + (rows + 1).tolist(),
        "x1": x1 + (columns + 1).tolist(),
        "y1": y1 + (rows + 1).tolist(),
    }
