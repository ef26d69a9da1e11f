"""The live page's file: what is in it, and what is refused where it cannot be made."""

import io
import zipfile
from pathlib import Path

import pytest

from workbook.report import pyodide
from workbook.report.__main__ import main
from workbook.report.live_page import model_archive


def test_model_archive_has_the_model_and_no_more() -> None:
    """The archive has every module of the model and the page's texts, and nothing that needs numpy or Bokeh."""
    names = zipfile.ZipFile(io.BytesIO(model_archive())).namelist()
    assert {"workbook/__init__.py", "workbook/lib/machine/machine.py", "workbook/page/live.py"} <= set(names)
    assert {"workbook/page/parts/outcome.html.j2", "jinja2/environment.py", "yaml/scanner.py"} <= set(names)
    assert not [one for one in names if one.startswith(("workbook/charts", "workbook/report", "numpy", "bokeh"))]
    assert model_archive() == model_archive()


def test_no_npm_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without Pyodide in the cache and without npm, one line says what to do, and no file is left."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--live", "-o", str(tmp_path / "page.html")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "there is no npm to fetch it: install npm, or give --pyodide FOLDER" in error
    assert list(tmp_path.iterdir()) == []


def test_failing_npm_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What npm complains of is in one line with what to do."""
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error code E404' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert main(["--live", "-o", str(tmp_path / "page.html")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"npm cannot fetch pyodide {pyodide.VERSION} (npm error code E404)" in error


def test_other_files_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without the files, or with files of another version, is refused by the name of the first one."""
    arguments = ["--live", "--pyodide", str(tmp_path), "-o", str(tmp_path / "page.html")]
    assert main(arguments) == 1
    assert "pyodide.js cannot be read (No such file or directory)" in capsys.readouterr().err
    (tmp_path / "pyodide.js").write_text("another one")
    assert main(arguments) == 1
    assert f"pyodide.js is not that of pyodide {pyodide.VERSION}" in capsys.readouterr().err


def test_pyodide_goes_with_live(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with Pyodide is of no use for a page that computes nothing."""
    arguments = ["--preset", "cover-letter", "--pyodide", str(tmp_path), "-o", str(tmp_path / "page.html")]
    assert main(arguments) == 1
    assert "give --live with it" in capsys.readouterr().err
