"""Bytes: parse what QEMU accepts, print what people read.

Everything in the library is in bytes; this module is the only place where a unit appears in text.
"""

import math
import re
from functools import lru_cache
from typing import Final

from .errors import BadInput

__all__ = (
    "SIZE_LIMIT",
    "EiB",
    "GiB",
    "KiB",
    "MiB",
    "PiB",
    "TiB",
    "format_size",
    "parse_size",
    "round_down",
    "round_up",
    "shown_size",
    "strtosz",
)

KiB: Final = 1 << 10
MiB: Final = 1 << 20
GiB: Final = 1 << 30
TiB: Final = 1 << 40
PiB: Final = 1 << 50
EiB: Final = 1 << 60
SIZE_LIMIT: Final = 1 << 64
"""2^64: sizes and addresses are uint64 in QEMU, so every one of them is below."""

_FACTORS: Final = {"": 1, "B": 1, "K": KiB, "M": MiB, "G": GiB, "T": TiB, "P": PiB, "E": EiB}
_QEMU_SIZE = re.compile(
    r"[ \t\n\v\f\r]*\+?"
    r"(?:0[xX](?P<hex>[0-9a-fA-F]+)|(?P<whole>[0-9]+)?(?:\.(?P<fraction>[0-9]*))?(?P<suffix>[bBkKmMgGtTpPeE])?)"
)
_IEC_SIZE = re.compile(r"(?P<number>\+?[0-9.]+)\s*(?:(?P<unit>[kmgtpe])i)?b", re.IGNORECASE)
_MOST_DIGITS: Final = len(str(SIZE_LIMIT))


def strtosz(text: str, unit: str = "B") -> int | None:
    """Read a size exactly as QEMU does (util/cutils.c, ``do_strtosz``; QEMU 10.0), in bytes.

    Decimal with an optional fraction and one of the suffixes ``B K M G T P E`` (either case, powers of 1024), or
    hexadecimal without suffix; blanks and a plus sign may stand in front. A fraction needs a suffix above ``B``
    and is rounded to the nearest byte in double arithmetic.

    Parameters
    ----------
    unit
        Suffix that holds where none is given.

    Returns
    -------
    Bytes; 2^64 or more where QEMU says that the value is out of range; None where the text is no size.
    """
    match = _QEMU_SIZE.fullmatch(text)
    if not match or not (match["hex"] or match["whole"] or match["fraction"]):
        return None
    if match["hex"]:
        return int(match["hex"], 16)
    factor = _FACTORS[(match["suffix"] or unit).upper()]
    fraction = float(f"0.{match['fraction'] or 0}")
    if fraction and factor == 1:
        return None
    whole = (match["whole"] or "0").lstrip("0")
    if len(whole) > _MOST_DIGITS:
        return SIZE_LIMIT
    return int(whole or "0") * factor + math.floor(fraction * factor + 0.5)


def parse_size(text: str | int, *, unit: str = "B", name: str = "size") -> int:
    """Read a size as QEMU reads one (`strtosz`) or as people and `format_size` write one (``1.5 GiB``), in bytes.

    Parameters
    ----------
    text
        The size; an ``int`` is taken as bytes.
    unit
        Suffix that holds where none is given: ``"B"`` for properties, ``"M"`` for ``-m``.
    name
        What the size is, for the error line.

    Raises
    ------
    BadInput
        Not a size, negative, or 2**64 and more.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        if not 0 <= text < SIZE_LIMIT:
            raise BadInput(f"{name} {text:#x} is out of range: 0 to 2^64 - 1 bytes")
        return text
    if not isinstance(text, str):
        raise BadInput(f"{name} must be a size, not {text!r:.60}")
    iec = _IEC_SIZE.fullmatch(text.strip())
    value = strtosz(iec["number"] + (iec["unit"] or "B"), unit) if iec else strtosz(text.strip(), unit)
    if value is None:
        if any(one in text for one in ".,") and strtosz(text.strip() + "K") is not None:
            raise BadInput(f"{name} {text!r:.60} is not a whole number of bytes: add a suffix such as K, M or G")
        raise BadInput(
            f"{name} {text!r:.60} is not a size: give a number with B, K, M, G, T, P or E, such as 512M or 1.5G"
        )
    if value >= SIZE_LIMIT:
        raise BadInput(f"{name} {text!r:.60} is too large: sizes are below 2^64 bytes (16E)")
    return value


@lru_cache(maxsize=1 << 12)
def format_size(size: int, *, digits: int | None = None) -> str:
    """Print bytes in the largest binary unit.

    Parameters
    ----------
    size
        Bytes; may be negative (a difference).
    digits
        ``None`` (default): exact, in the largest unit that needs no fraction (``"2304 MiB"``);
        otherwise rounded to so many digits after the point in the largest unit (``"2.25 GiB"``).
    """
    units = (("EiB", EiB), ("PiB", PiB), ("TiB", TiB), ("GiB", GiB), ("MiB", MiB), ("KiB", KiB))
    for label, factor in units:
        if digits is None and size and size % factor == 0:
            return f"{size // factor} {label}"
        if digits is not None and abs(size) >= factor:
            number = f"{size / factor:.{digits}f}"
            return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {label}"
    return f"{size} B"


@lru_cache(maxsize=1 << 12)
def shown_size(size: int) -> str:
    """Print bytes in the largest binary unit with up to four digits where that is exact, otherwise in a smaller one.

    Examples
    --------
    >>> shown_size(20736 << 20), shown_size(2 << 20), shown_size((1 << 40) + (2 << 20))
    ('20.25 GiB', '2 MiB', '1048578 MiB')
    """
    short = format_size(size, digits=4)
    try:
        exact = parse_size(short) == size
    except BadInput:
        # rounded up to 2^64, which is no size any more
        exact = False
    return short if exact else format_size(size)


def round_up(value: int, multiple: int) -> int:
    """Return the smallest multiple of `multiple` that is not below `value`."""
    return -(-value // multiple) * multiple


def round_down(value: int, multiple: int) -> int:
    """Return the largest multiple of `multiple` that is not above `value`."""
    return value // multiple * multiple
