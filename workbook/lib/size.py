"""Bytes: parse what QEMU accepts, print what people read.

Everything in the library is in bytes; this module is the only place where a unit appears in text.
"""

import math
import re
from typing import Final

from .errors import BadInput

__all__ = (
    "EXABYTE_LIMIT",
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
)

KiB: Final = 1 << 10
MiB: Final = 1 << 20
GiB: Final = 1 << 30
TiB: Final = 1 << 40
PiB: Final = 1 << 50
EiB: Final = 1 << 60
EXABYTE_LIMIT: Final = 1 << 64
"""Sizes are uint64 in QEMU: everything is below this."""

_FACTORS: Final = {"": 1, "B": 1, "K": KiB, "M": MiB, "G": GiB, "T": TiB, "P": PiB, "E": EiB}
_SIZE = re.compile(
    r"\s*\+?(?:0[xX](?P<hex>[0-9a-fA-F]+)|(?P<whole>[0-9]+)?(?:\.(?P<fraction>[0-9]*))?(?P<suffix>[bBkKmMgGtTpPeE])?)"
)
_IEC = re.compile(r"(?<=[KMGTPE])iB$|(?<=[KMGTPE])B$")


def parse_size(text: str | int, *, unit: str = "B", name: str = "size") -> int:
    """Read a size as QEMU reads one (util/cutils.c, ``qemu_strtosz``; QEMU 10.0), in bytes.

    Decimal with an optional fraction and one of the suffixes ``B K M G T P E`` (either case, powers of
    1024), or hexadecimal without suffix. Beyond QEMU, ``GiB``-like spellings are taken too, as people
    write them.

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
    if isinstance(text, int):
        if not 0 <= text < EXABYTE_LIMIT:
            raise BadInput(f"{name} {text} is out of range: 0 to 2^64 - 1 bytes")
        return text
    match = _SIZE.fullmatch(_IEC.sub("", text.rstrip()))
    if not match or (match["hex"] is None and match["whole"] is None and not match["fraction"]):
        raise BadInput(f"{name} {text!r} is not a size: give a number with B, K, M, G, T, P or E, such as 512M or 1.5G")
    if match["hex"]:
        value = int(match["hex"], 16)
    else:
        factor = _FACTORS[(match["suffix"] or unit).upper()]
        fraction = float(f"0.{match['fraction'] or 0}")
        if fraction and factor == 1:
            raise BadInput(f"{name} {text!r} is not a whole number of bytes: add a suffix such as K, M or G")
        # QEMU rounds the fraction to the nearest byte in double arithmetic
        value = int(match["whole"] or 0) * factor + math.floor(fraction * factor + 0.5)
    if value >= EXABYTE_LIMIT:
        raise BadInput(f"{name} {text!r} is too large: sizes are below 2^64 bytes (16E)")
    return value


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


def round_up(value: int, multiple: int) -> int:
    """Return the smallest multiple of `multiple` that is not below `value`."""
    return -(-value // multiple) * multiple


def round_down(value: int, multiple: int) -> int:
    """Return the largest multiple of `multiple` that is not above `value`."""
    return value // multiple * multiple
