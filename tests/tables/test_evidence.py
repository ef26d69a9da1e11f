"""Evidence: what the tables say is counted from the recordings."""

from collections import Counter

from workbook.data import recordings
from workbook.tables.evidence import compared_fields, predicted_recordings


def test_every_recording_is_counted_and_predicted() -> None:
    """Runs and steps are those of the recordings, by QEMU; the model differs from none."""
    wanted: Counter[tuple[str, str]] = Counter()
    for one in recordings():
        wanted[one["qemu_version"], "runs"] += 1
        wanted[one["qemu_version"], "steps"] += len(one["steps"])
    table = predicted_recordings()
    assert {(row[0], "runs"): row[1] for row in table.rows} | {
        (row[0], "steps"): row[2] for row in table.rows
    } == wanted
    assert [row[3] for row in table.rows] == [0] * len(table.rows)
    assert any("RFC" in row[0] for row in table.rows)


def test_what_was_compared() -> None:
    """The most compared observation comes first; actions and other inputs are not among them."""
    rows = compared_fields().rows
    counts = [row[1] for row in rows]
    assert counts == sorted(counts, reverse=True)
    assert min(counts) > 0
    names = {row[0] for row in rows}
    assert {"info_mtree", "info_mtree_flat"} <= names or any("mtree" in name for name in names)
    assert "action" not in names
