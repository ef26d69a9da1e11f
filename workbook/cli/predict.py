"""Predict recorded runs of QEMU with the model alone, and compare with what was recorded."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from workbook.data import FOLDER
from workbook.lib.errors import BadInput, WorkbookError
from workbook.lib.recording import compare, predict
from workbook.recordings.files import read_all

__all__ = ("main",)


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m workbook.lib.recording") -> int:
    """Predict every recording: a line per one that differs, a summary; 1 if any differs, 2 for a bad call."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="recordings, archives or folders (default: the workbook's own)",
    )
    options = parser.parse_args(arguments)
    recordings = steps = differ = 0
    try:
        for label, recording in read_all(options.paths or [FOLDER / "recordings"]):
            recordings += 1
            steps += len(recording["steps"])
            try:
                differences = compare(recording, predict(recording))
                line = str(differences[0]) if differences else ""
            except WorkbookError as error:
                line = f"{type(error).__name__}: {error}"
            if line:
                differ += 1
                print(f"{label}: {line}")
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{recordings} recordings, {steps} steps, {differ} differ")
    return 1 if differ else 0
