"""Sizes as charts print them: short where that is exact."""

from workbook.lib.errors import BadInput
from workbook.lib.size import format_size, parse_size

__all__ = ("shown_size",)


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
