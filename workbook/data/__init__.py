"""Contents of `data/`: the cover letter's outputs, recordings of real QEMUs, measurements of real kernels."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from workbook.lib.cost.measurements import MeasuredHost
from workbook.lib.errors import BadInput
from workbook.lib.recording import RecordingJson
from workbook.recordings.files import read_all

__all__ = ("FOLDER", "NOTEBOOKS", "cover_letter", "measurements", "recordings")

_REPOSITORY: Final = Path(__file__).resolve().parents[2]
_SHIPPED: Final = _REPOSITORY / "workbook" / "shipped"
_TOP: Final = _SHIPPED if _SHIPPED.exists() else _REPOSITORY
FOLDER: Final = _TOP / "data"
"""The repository's `data/`, or what a wheel carries of it."""
NOTEBOOKS: Final = _TOP / "notebooks"
"""The repository's `notebooks/`, likewise."""


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


def recordings() -> Iterator[RecordingJson]:
    """Yield every recorded run of a real QEMU (`workbook.lib.recording` says what is in one)."""
    for _name, recording in read_all([FOLDER / "recordings"]):
        yield recording


def measurements(*paths: Path | str) -> tuple[MeasuredHost, ...]:
    """Return the hosts that were measured: every file in ``data/measurements``, by name.

    Parameters
    ----------
    paths
        Files of your own beside these; or put them into the folder.

    Raises
    ------
    BadInput
        A file cannot be read, or holds no measurements.
    """
    hosts = []
    for path in (*sorted((FOLDER / "measurements").glob("*.json")), *map(Path, paths)):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadInput(f"{path} cannot be read ({error.strerror}): give a JSON file of measurements") from error
        except ValueError as error:
            raise BadInput(f"{path} is not JSON ({error}): give a JSON file of measurements") from error
        hosts.append(MeasuredHost.from_json(path.stem, report))
    return tuple(hosts)
