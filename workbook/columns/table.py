"""Columns of one length, by name."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ("Column", "Columns")

Column: TypeAlias = Sequence[object] | npt.NDArray[np.generic]
Columns: TypeAlias = dict[str, Column]
