"""The command that predicts recordings and compares."""

import copy
import json
from pathlib import Path

import pytest

from workbook.cli.predict import main
from workbook.recordings.files import read_all

DATA = Path(__file__).parents[2] / "data" / "recordings"
RECORDINGS = dict(read_all([DATA]))


def test_command_predicts_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """All archives: a summary, and 0."""
    assert main([str(DATA)]) == 0
    steps = sum(len(one["steps"]) for one in RECORDINGS.values())
    assert capsys.readouterr().out == f"{len(RECORDINGS)} recordings, {steps} steps, 0 differ\n"


def test_command_reports_the_first_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a folder of plain files the one that was tampered with is named, with step and field, and the result is 1."""
    good, bad = copy.deepcopy([one for one in RECORDINGS.values() if len(one["steps"]) > 1][:2])
    bad["steps"][0]["memory_size_summary"]["base-memory"] += 1
    for name, one in (("good", good), ("bad", bad)):
        (tmp_path / f"{name}.json").write_text(json.dumps(one))
    assert main([str(tmp_path)]) == 1
    first, summary = capsys.readouterr().out.splitlines()
    assert first.startswith("bad.json: step 0 memory_size_summary.base-memory: recorded ")
    assert summary == f"2 recordings, {len(good['steps']) + len(bad['steps'])} steps, 1 differ"


def test_command_goes_on_after_one_it_cannot_play(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording that the model cannot play counts as one that differs; the others are still compared."""
    good = next(iter(RECORDINGS.values()))
    (tmp_path / "a.json").write_text(json.dumps({"name": "a", "qemu_version": "10.0", "steps": [{}]}))
    (tmp_path / "b.json").write_text(json.dumps(good))
    assert main([str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("a.json: BadInput: not a recording")
    assert lines[-1].endswith("1 differ")


@pytest.mark.parametrize("arguments", [["nowhere"], ["empty"]])
def test_command_refuses(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bad call gives a line on stderr and 2."""
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
