"""Write a measurement's report as JSON, whole or not at all."""

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from workbook.lib.errors import BadInput

__all__ = ("check_output", "write_report")

_NUMBERS: Final = re.compile(r"\[\s+((?:\d+,?\s+)+)\]")


def check_output(path: Path | None) -> None:
    """Refuse a file that could not be written, before anything is measured.

    Raises
    ------
    BadInput
        Its folder does not exist.
    """
    if path and not path.parent.is_dir():
        raise BadInput(f"{path.parent} is not a folder: give --output a file in a folder that exists")


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write `report` so that the file is always complete: the old one or the new one.

    Raises
    ------
    BadInput
        It cannot be written.
    """
    # lists of numbers stay on one line: that is what people compare
    text = _NUMBERS.sub(lambda match: f"[{' '.join(match[1].split())}]", json.dumps(report, indent=1)) + "\n"
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).chmod(0o644)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise BadInput(f"{path} cannot be written ({error.strerror}): give a file in a folder that exists") from error
