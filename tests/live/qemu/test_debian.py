"""The QEMU of another suite: where it comes from, and that what goes wrong is one clear line."""

import shutil
from pathlib import Path

import pytest

from workbook.live.qemu.debian import Archive, UnpackFailed, host_archive, main, unpack

DEB822 = """Types: deb
# a comment
URIs: http://elsewhere.example/security
Suites: stable

Types: deb
URIs: http://archive.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian.gpg
"""
needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt-get is not here")


def test_archive_of_this_machine(tmp_path: Path) -> None:
    """The archive and its keys are taken from apt's own sources, in either of their formats."""
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "debian.sources").write_text(DEB822)
    assert host_archive(tmp_path) == Archive("http://archive.example/debian", "/usr/share/keyrings/debian.gpg")
    (folder / "debian.sources").unlink()
    (tmp_path / "sources.list").write_text("deb [arch=amd64 signed-by=/k.gpg] http://archive.example/debian sid main\n")
    assert host_archive(tmp_path) == Archive("http://archive.example/debian", "/k.gpg")
    assert host_archive(tmp_path).line("sid") == "deb [signed-by=/k.gpg] http://archive.example/debian sid main\n"


def test_no_debian_here(tmp_path: Path) -> None:
    """Where apt has no Debian archive, the line says how to give one."""
    (tmp_path / "sources.list").write_text("deb http://archive.example/ubuntu noble main\n")
    with pytest.raises(UnpackFailed, match="--archive URL"):
        host_archive(tmp_path)


@needs_apt
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["sid", "--archive", "http://localhost:1/debian"], "the lists of sid cannot be downloaded: "),
        (["../sid", "--archive", "http://localhost:1/debian"], "is no name of a Debian suite"),
    ],
)
def test_what_cannot_be_had(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], line: str) -> None:
    """A failed download and a wrong name are one line and exit status 2."""
    assert main([*words, "--prefix", str(tmp_path)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert line in said


@needs_apt
def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A folder that cannot be made is named before anything is downloaded."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UnpackFailed, match="cannot be written"):
        unpack("sid", tmp_path / "file", archive=Archive("http://localhost:1/debian"))
