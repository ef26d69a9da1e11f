"""Quantities of Kubernetes: ``64Gi``, ``1.5G``, ``128974848``, ``1e9``.

Source: k8s.io/apimachinery, pkg/api/resource/quantity.go and suffix.go.
"""

import math
import re
from fractions import Fraction
from typing import Final

from workbook.lib.errors import BadInput

__all__ = ("read_quantity",)

MOST: Final = (1 << 63) - 1
"""Largest quantity in bytes (int64)."""
_BINARY: Final = {unit: 1 << (10 * power) for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_DECIMAL: Final = {
    unit: Fraction(10) ** power
    for unit, power in {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}.items()
}
_QUANTITY = re.compile(r"\+?(\d{1,40})?(?:\.(\d{0,40}))?(?:[eE]([+-]?\d{1,3})|([KMGTPE]i|[numkMGTPE])?)")


def read_quantity(value: object, where: str) -> int:
    """Read a quantity, rounded up to whole bytes as Kubernetes does.

    Parameters
    ----------
    value
        Text, or the number that YAML makes of one.
    where
        The field, for the error line.

    Raises
    ------
    BadInput
        Not a quantity from 0 to 2^63 - 1.
    """
    text = str(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    found = _QUANTITY.fullmatch(text.strip())
    if found is None or not (found[1] or found[2]):
        raise BadInput(f"{where} is {value!r:.60}: give a quantity of Kubernetes, such as 64Gi or 1.5G")
    number = Fraction(f"{found[1] or 0}.{found[2] or 0}")
    if found[3] is not None:
        size = number * Fraction(10) ** max(-99, min(99, int(found[3])))
    else:
        unit = found[4] or ""
        size = number * (_BINARY[unit] if unit in _BINARY else _DECIMAL[unit])
    bytes_ = math.ceil(size)
    if bytes_ > MOST:
        raise BadInput(f"{where} is {value!r:.60}: quantities are below 8 EiB")
    return bytes_
