"""The slot table as rows and CSV."""

import csv
import io

from workbook.lib.explore.outcome import Outcome
from workbook.lib.explore.presets import PRESETS
from workbook.lib.explore.slot_table import COLUMNS, slot_csv
from workbook.lib.size import GiB


def test_csv_has_every_memslot() -> None:
    """500 memslots of 1 GiB at consecutive addresses, 21 of them mapped, read back from the text."""
    layout = Outcome.of(PRESETS["cover-letter-20g"].scenario).layout
    assert layout is not None
    rows = list(csv.DictReader(io.StringIO(slot_csv(layout))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 500
    assert sum(int(row["mapped"]) for row in rows) == 21
    assert [int(row["address"], 16) for row in rows] == [0x1_4000_0000 + number * GiB for number in range(500)]
    assert {int(row["size"]) for row in rows} == {GiB}
