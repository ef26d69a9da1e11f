"""Files are whole: the old content or the new one."""

import os
from pathlib import Path

import pytest

from workbook.lib.errors import BadInput
from workbook.tools.atomic_write import check_writable, write_atomically


def test_replaces(tmp_path: Path) -> None:
    """Text and bytes replace what was there; nothing else is left in the folder."""
    path = tmp_path / "file"
    for content in ("old", "ä\n", b"\x00\xff"):
        write_atomically(path, content)
        assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
        assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Interrupted before the end, the old file stays as it was and nothing half-written is left."""
    path = tmp_path / "file"
    write_atomically(path, "old")

    def fail(_number: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((BadInput, KeyboardInterrupt)) as caught:
        write_atomically(path, "new")
    if isinstance(error, OSError):
        assert "cannot be written (No space left on device): give a file in a folder that exists" in str(caught.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_refused_before_anything_is_computed(tmp_path: Path) -> None:
    """A folder, or a file in a folder that does not exist, is one line that says what to give."""
    check_writable(tmp_path / "file")
    with pytest.raises(BadInput, match="is a folder: give a file in it"):
        check_writable(tmp_path)
    with pytest.raises(BadInput, match="is not a folder: give a file in a folder that exists"):
        check_writable(tmp_path / "no" / "file")
    with pytest.raises(BadInput, match="cannot be written"):
        write_atomically(tmp_path / "no" / "file", "text")
