"""What lies in `data/` is read as values, and what is none of it is refused in one line."""

import json
import shutil
from pathlib import Path

import pytest

from workbook.data import FOLDER, cover_letter, measurements, recordings
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, TiB

FILES = sorted((FOLDER / "measurements").glob("*.json"))


def test_every_measured_row_equals_the_model() -> None:
    """Each stored layout of each host costs what the model says today, in every part."""
    hosts = measurements()
    assert [host.name for host in hosts] == [path.stem for path in FILES]
    rows = [row for host in hosts for row in host.layouts]
    assert len(rows) >= 30
    assert [row.name for row in rows if not row.agrees] == []


def test_headline_is_there() -> None:
    """A 1 TiB device was measured in a real QEMU: off costs all from the start, on follows what is plugged."""
    rows = {
        (row.dynamic, row.plugged): row for host in measurements() for row in host.layouts if row.device_size == TiB
    }
    assert rows[False, 0].total == rows[False, 100 * GiB].total > 2 * GiB * (rows[False, 0].predicted.rmap > 0)
    assert rows[True, 0].total == 0 < rows[True, GiB].total < rows[True, 100 * GiB].total < rows[True, TiB].total
    assert rows[True, GiB].name == "QEMU, 1 TiB, dynamic on, 1 GiB plugged"


def test_a_host_of_your_own_is_taken_in(tmp_path: Path) -> None:
    """A file beside those of the folder is one more host; a row that another VM disturbed is left out."""
    report = json.loads(FILES[0].read_text())
    report["measurements"][0]["disturbed"] = True
    own = tmp_path / "mine.json"
    own.write_text(json.dumps(report))
    *known, mine = measurements(own)
    assert len(known) == len(FILES)
    assert mine.name == "mine"
    assert len(mine.layouts) == len(report["measurements"]) - 1


@pytest.mark.parametrize(
    ("text", "why"),
    [("{", "is not JSON"), ("[]", "is not a file of measurements"), ('{"host": {}}', "is not a file of measurements")],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, text: str, why: str) -> None:
    """A file that holds no measurements is named, with what to give instead."""
    own = tmp_path / "mine.json"
    own.write_text(text)
    with pytest.raises(BadInput, match=why) as caught:
        measurements(own)
    assert "\n" not in str(caught.value)
    assert "mine" in str(caught.value)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(BadInput, match=r"none\.json cannot be read"):
        measurements(tmp_path / "none.json")


def test_a_field_too_much_is_refused(tmp_path: Path) -> None:
    """A row with a field that nobody knows is not silently taken."""
    own = tmp_path / "mine.json"
    shutil.copy(next(path for path in FILES if json.loads(path.read_text()).get("timing")), own)
    report = json.loads(own.read_text())
    report["timing"][0]["hours"] = 1
    own.write_text(json.dumps(report))
    with pytest.raises(BadInput, match="hours"):
        measurements(own)


def test_cover_letter_has_four_steps() -> None:
    """The mail's four outputs are there byte for byte; another step is named with those that exist."""
    for step in ("0", "2", "20", "5-reboot"):
        text = cover_letter(step)
        assert text.lstrip().startswith("0000000140000000-")
        assert "virtio-mem-memslots" in text
        assert not text.endswith("\n")
        assert (FOLDER / "cover-letter" / f"{step}.txt").read_text() == text + "\n"
    with pytest.raises(BadInput, match="no step '3': known are 0, 2, 20, 5-reboot"):
        cover_letter("3")


def test_recordings_are_runs_of_real_qemus() -> None:
    """Every recording says which QEMU it was, with what it was started, and what it then showed."""
    versions = set()
    for recording in recordings():
        versions.add(recording["qemu_version"])
        assert recording["argv"]
    assert len(versions) >= 2
