"""Finding QEMU on this machine."""

from pathlib import Path

import pytest

from workbook.live.qemu.binary import QemuMissing, find_qemu


def executable(directory: Path, output: str) -> Path:
    script = directory / "qemu"
    script.write_text(f"#!/bin/sh\necho '{output}'\n")
    script.chmod(0o755)
    return script


def test_version_is_read(tmp_path: Path) -> None:
    """Version text and release numbers come from what --version prints."""
    found = find_qemu(executable(tmp_path, "QEMU emulator version 8.2.0 (v8.2.0)"))
    assert (found.version, found.release) == ("8.2.0 (v8.2.0)", (8, 2))


def test_found_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a path the program is looked up on PATH."""
    executable(tmp_path, "QEMU emulator version 11.1.3").rename(tmp_path / "qemu-system-x86_64")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_qemu().release == (11, 1)


@pytest.mark.parametrize("path", [None, "no-such-qemu"])
def test_missing(path: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing QEMU is one line that says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(QemuMissing, match=r"^(qemu-system-x86_64|no-such-qemu) is not here: install QEMU >= 8\.2.*$"):
        find_qemu(path)


@pytest.mark.parametrize("version", ["7.2.9 (Debian 1:7.2+dfsg-7)", "8.1.5"])
def test_too_old(tmp_path: Path, version: str) -> None:
    """A QEMU before 8.2 is one line that names its version and the one that is needed."""
    script = executable(tmp_path, f"QEMU emulator version {version}")
    with pytest.raises(QemuMissing) as error:
        find_qemu(script)
    needed = "too old for dynamic-memslots: install QEMU >= 8.2 or give the path of one"
    assert str(error.value) == f"{script} is QEMU {version}, {needed}"


def test_not_a_qemu(tmp_path: Path) -> None:
    """Another program, and a file that cannot be run, are refused by name."""
    script = executable(tmp_path, "GNU bash, version 5.2")
    with pytest.raises(QemuMissing, match="does not say 'QEMU emulator version'"):
        find_qemu(script)
    script.write_bytes(b"\x7fELF")
    with pytest.raises(QemuMissing, match="cannot be run"):
        find_qemu(script)
