"""The slot table: every memslot of every memory device, as rows and as CSV."""

import csv
import io
from collections.abc import Iterator
from typing import Final

from workbook.lib.machine.snapshot import Layout

__all__ = ("COLUMNS", "slot_csv", "slot_rows")

COLUMNS: Final = ("device", "memslot", "address", "offset", "size", "mapped", "plugged")
"""Address in hexadecimal; offset, size and plugged in bytes; mapped 0 or 1."""


def slot_rows(layout: Layout) -> Iterator[tuple[str, int, str, int, int, int, int]]:
    """Yield a row per memslot, in address order."""
    for device in layout.devices:
        for index, (offset, size, plugged, mapped) in enumerate(device.memslots()):
            yield device.id, index, f"{device.start + offset:#x}", offset, size, int(mapped), plugged


def slot_csv(layout: Layout) -> str:
    """Return the table as CSV with a header line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(slot_rows(layout))
    return text.getvalue()
