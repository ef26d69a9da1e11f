"""What lies in `data/`: the cover letter's outputs, recordings of real QEMUs, measurements of real kernels."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from workbook.lib.archive import read_all
from workbook.lib.errors import BadInput

__all__ = ("FOLDER", "cover_letter", "recordings")

FOLDER: Final = Path(__file__).resolve().parent.parent / "data"


def cover_letter(step: str) -> str:
    """Return an ``info mtree`` output of the cover letter, byte for byte as in the mail.

    Parameters
    ----------
    step
        ``"0"``, ``"2"``, ``"20"`` (GiB requested) or ``"5-reboot"``.

    Raises
    ------
    BadInput
        There is no such step.
    """
    path = FOLDER / "cover-letter" / f"{step}.txt"
    if not path.exists():
        known = ", ".join(sorted(one.stem for one in path.parent.glob("*.txt")))
        raise BadInput(f"the cover letter has no step {step!r}: known are {known}")
    return path.read_text(encoding="utf-8").rstrip("\n")


def recordings() -> Iterator[dict[str, Any]]:
    """Yield every recorded run of a real QEMU (`workbook.lib.recording` says what is in one)."""
    for _name, recording in read_all([FOLDER / "recordings"]):
        yield recording
