"""Measure the running host now: what a button in a notebook does."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from workbook.lib.cost.measurements import LayoutJson, MeasuredHost, MeasurementsJson
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, KiB, MiB, TiB

from .device import KvmDevice
from .host import this_host
from .measurement import measure, time_slots
from .memslot_layout import Layout

__all__ = ("QUICK", "HostMeasurement")

QUICK: Final = (
    (Layout.packed(1, TiB), False),
    (Layout.packed(64, 4 * GiB), False),
    (Layout.packed(1, 64 * GiB), True),
    (Layout.packed(1, GiB), False),
    (Layout.packed(1024, 4 * MiB), False),
    (Layout.packed(10_000, 4 * KiB), False),
    (Layout.random(1), True),
    (Layout.random(2), False),
)
"""Layouts that are measured in a few seconds, with and without dirty log."""

_TIMED: Final = (1, 100, 10_000)


@dataclass(frozen=True, slots=True)
class HostMeasurement:
    """The running host as something to measure.

    Parameters
    ----------
    layouts
        Memslots to make, each with or without dirty log.
    """

    layouts: tuple[tuple[Layout, bool], ...] = QUICK

    @property
    def refusal(self) -> str | None:
        """Why it cannot be measured, in a line; None if it can."""
        try:
            KvmDevice().close()
        except BadInput as error:
            return str(error)
        return None

    @property
    def steps(self) -> int:
        """How often the progress function is called."""
        return len(self.layouts) + len(_TIMED)

    def measure(self, progress: Callable[[str], None]) -> tuple[MeasuredHost, tuple[str, ...]]:
        """Measure every layout, then time memslots; all memory is given back.

        Parameters
        ----------
        progress
            Called before each step with what it is.

        Returns
        -------
        The host as `workbook.data.measurements` returns them, and a line for each layout that had to be left out.

        Raises
        ------
        BadInput
            No layout could be measured.
        """
        rows: list[LayoutJson] = []
        left_out: list[str] = []
        for layout, dirty_log in self.layouts:
            progress(f"{layout}{', dirty log' if dirty_log else ''}")
            try:
                result = measure(layout, dirty_log=dirty_log)
            except BadInput as error:
                left_out.append(str(error))
                continue
            if result.disturbed:
                left_out.append(f"{layout}: another VM changed meanwhile, measure again")
            rows.append(result.to_json())
        if not rows:
            raise BadInput(left_out[0])
        timing = []
        for count in _TIMED:
            progress(f"time of {count:,} x 4 KiB")
            timing.append(time_slots(count).to_json())
        report: MeasurementsJson = {
            "host": this_host().to_json(),
            "kernel": platform.release(),
            "command": "workbook.live.kvm.HostMeasurement().measure(...)",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "measurements": rows,
            "timing": timing,
        }
        return MeasuredHost.from_json("this host", report), tuple(left_out)
