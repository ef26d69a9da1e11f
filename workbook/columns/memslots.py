"""The memslots of a memory device as columns for charts."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from workbook.lib.machine.snapshot import DeviceLayout

__all__ = ("MemslotColumns", "memslot_columns")

Bytes = npt.NDArray[np.int64]


class MemslotColumns(NamedTuple):
    """Offset in the device, bytes, plugged bytes and whether it is mapped of every memslot, each of shape (count,)."""

    offset: Bytes
    size: Bytes
    plugged: Bytes
    mapped: npt.NDArray[np.bool_]


@lru_cache(maxsize=16)
def memslot_columns(device: DeviceLayout) -> MemslotColumns:
    """Return the memslots of a device as columns; a device is one value, so several charts share them."""
    rows = np.array(device.memslots(), dtype=np.int64)
    return MemslotColumns(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3].astype(np.bool_))
