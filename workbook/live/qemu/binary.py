"""The QEMU executable on this machine: where it is, which version, and whether KVM can be used."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from workbook.lib.errors import WorkbookError

__all__ = ("MINIMUM_VERSION", "OLDEST_VERSION", "QemuBinary", "QemuMissing", "find_qemu", "usable_accel")

MINIMUM_VERSION: Final = (8, 2)
"""The first release with ``dynamic-memslots`` (hw/virtio/virtio-mem.c, QEMU 8.2)."""
OLDEST_VERSION: Final = (6, 2)
"""The first release whose words the model knows: what compares with the model takes it."""

PROGRAM: Final = "qemu-system-x86_64"
_VERSION_TIMEOUT: Final = 10.0
_VERSION_LINE = re.compile(r"QEMU emulator version (?P<text>(?P<major>\d+)\.(?P<minor>\d+)\S*.*)")


class QemuMissing(WorkbookError):
    """No usable QEMU was found; the text is one line that says what to install or to specify."""


@dataclass(frozen=True, slots=True)
class QemuBinary:
    """A QEMU executable.

    Parameters
    ----------
    path
        Absolute path of the executable.
    version
        What ``--version`` prints after ``QEMU emulator version``, with the distribution's package name.
    release
        Major and minor number of `version`.
    """

    path: Path
    version: str
    release: tuple[int, int]


def find_qemu(path: str | os.PathLike[str] | None = None, least: tuple[int, int] = MINIMUM_VERSION) -> QemuBinary:
    """Find QEMU and check its version.

    Parameters
    ----------
    path
        The executable, as a path or as a name on ``PATH``; ``None``: ``qemu-system-x86_64`` on ``PATH``.
    least
        The oldest release that will do: `MINIMUM_VERSION` for what needs ``dynamic-memslots``.

    Raises
    ------
    QemuMissing
        Nothing there, not a QEMU, or older than `least`.
    """
    wanted = PROGRAM if path is None else os.fspath(path)
    found = shutil.which(wanted)
    if found is None:
        raise QemuMissing(
            f"{wanted} is not here: install QEMU >= {_dotted(least)} (package qemu-system-x86) or give the path of one"
        )
    absolute = Path(found).resolve()
    binary = _checked(absolute, absolute.stat().st_mtime_ns)
    if binary.release < least:
        why = "too old for dynamic-memslots" if least == MINIMUM_VERSION else "too old"
        raise QemuMissing(
            f"{absolute} is QEMU {binary.version}, {why}: install QEMU >= {_dotted(least)} or give the path of one"
        )
    return binary


@lru_cache(maxsize=16)
def _checked(path: Path, _modified: int) -> QemuBinary:
    """Ask the executable for its version; once per file, since a start costs 20 ms."""
    try:
        answer = subprocess.run(  # noqa: S603 (the executable is the user's choice)
            [path, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_VERSION_TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise QemuMissing(f"{path} cannot be run ({error.strerror}): give the path of a QEMU executable") from error
    except subprocess.TimeoutExpired as error:
        raise QemuMissing(
            f"{path} --version gave no answer in {_VERSION_TIMEOUT:.0f} s: give the path of a QEMU executable"
        ) from error
    match = _VERSION_LINE.search(answer.stdout)
    if match is None:
        raise QemuMissing(f"{path} --version does not say 'QEMU emulator version': give the path of a QEMU executable")
    release = (int(match["major"]), int(match["minor"]))
    return QemuBinary(path, match["text"].strip(), release)


def usable_accel() -> str:
    """Return ``"kvm"`` where this user can open /dev/kvm for reading and writing, otherwise ``"tcg"``."""
    return "kvm" if os.access("/dev/kvm", os.R_OK | os.W_OK) else "tcg"


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
