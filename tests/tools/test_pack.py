"""The command that packs recordings into an archive."""

import json
from pathlib import Path

import pytest

from workbook.recordings.files import read_all
from workbook.tools.pack import main


def test_command_packs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command writes an archive of files and folders and says how large it is."""
    (tmp_path / "b.json").write_text(json.dumps({"name": "b", "steps": [{"action": {"op": "start"}}]}))
    archive = tmp_path / "out.jsonl.xz"
    assert main([str(archive), str(tmp_path / "b.json")]) == 0
    assert capsys.readouterr().out == f"{archive}: 1 recordings, {archive.stat().st_size} bytes\n"
    assert [one["name"] for _, one in read_all([archive])] == ["b"]


@pytest.mark.parametrize("arguments", [[], ["out.jsonl.xz"]])
def test_lacking_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Without an archive or something to pack the usage is shown."""
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: python -m workbook.pack" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["out.zip", "b.json"], ["out.jsonl.xz", "nowhere.json"], ["no/folder/out.jsonl.xz"]]
)
def test_bad_call_is_one_line(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bad call ends with 2 and a line on stderr; nothing is written."""
    monkeypatch.chdir(tmp_path)
    Path("b.json").write_text(json.dumps({"name": "b", "steps": []}))
    assert main([*arguments, "b.json"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["b.json"]
