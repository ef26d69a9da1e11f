"""Heat maps of the design space, ready as the last expression of a cell."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from workbook.charts.design_space import DesignSpace
from workbook.columns.theme import ThemeName
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.rules import RuleSet, get
from workbook.lib.size import MiB, shown_size
from workbook.lib.sweep import flips
from workbook.lib.sweep.design_space import (
    BOOT_SECTIONS,
    KINDS,
    MOST_MEMSLOTS,
    Axes,
    Panel,
    Quantity,
    environments,
    outcomes,
)
from workbook.tables.table import Table
from workbook.widgets.picture import Picture

__all__ = ("design_space", "flip_table")


def design_space(
    quantity: Quantity,
    rules: Sequence[RuleSet | str] = ("rfc-2021", "qemu-8.2"),
    *,
    axes: Axes | None = None,
    fitting: int = 2,
    block_size: int = 2 * MiB,
    late: bool = False,
    plugged: float = 0.25,
    host: KvmHost | None = None,
    theme: ThemeName = "light",
) -> Picture:
    """Return heat maps of one quantity, one for each rule set, over device size and memslots of a vhost back end.

    Parameters
    ----------
    quantity
        ``memslot size``, ``memslots``, ``metadata saved`` or ``refusals``.
    rules
        Names, or rule sets of your own.
    axes
        Device sizes and memslot limits; None: 1 GiB to 4 TiB, 8 to 4096 memslots.
    fitting, block_size
        How many devices of that size fit the device memory, and their block size in bytes.
    late, plugged, host
        As in `Panel.of`.
    """
    axes = axes or Axes.usual()
    grid = environments(axes, fitting=fitting, block_size=block_size)
    panels = [Panel.of(one, grid, quantity, late=late, plugged=plugged, host=host) for one in rules]
    chart = DesignSpace(quantity, panels=len(panels), theme=theme)
    chart.update(axes, panels)
    return Picture(chart)


def flip_table(
    sizes: Sequence[int],
    rules: Sequence[RuleSet | str] = ("rfc-2021", "qemu-8.2"),
    *,
    fitting: int = 2,
    late: bool = False,
) -> Table:
    """Return where exactly outcomes flip: every memslot limit is swept for each device size (bytes)."""
    axes = Axes(tuple(sizes), tuple(range(BOOT_SECTIONS + 1, MOST_MEMSLOTS + 1)))
    grid = environments(axes, fitting=fitting)
    rows = []
    for one in map(get, rules):
        _, kinds = outcomes(one, grid, late=late)
        for size, column in zip(axes.sizes, kinds.T, strict=True):
            borders = [0, *(np.flatnonzero(flips(column, 0)) + 1).tolist(), len(column)]
            rows += [
                (one.name, shown_size(size), axes.limits[first], axes.limits[end - 1], KINDS[column[first]])
                for first, end in pairwise(borders)
            ]
    return Table.of(("rules", "device", "from memslots", "to memslots", "result"), rows)
