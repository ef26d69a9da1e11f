"""Write a measurement's report as JSON, whole or not at all."""

import json
import re
from pathlib import Path
from typing import Final

from workbook.lib.cost.measurements import MeasurementsJson
from workbook.tools.atomic_write import write_atomically

__all__ = ("write_report",)

_NUMBERS: Final = re.compile(r"\[\s+((?:\d+,?\s+)+)\]")


def write_report(path: Path, report: MeasurementsJson) -> None:
    """Write `report`, whole or not at all.

    Raises
    ------
    BadInput
        It cannot be written.
    """
    # lists of numbers stay on one line: that is what people compare
    text = _NUMBERS.sub(lambda match: f"[{' '.join(match[1].split())}]", json.dumps(report, indent=1)) + "\n"
    write_atomically(path, text)
