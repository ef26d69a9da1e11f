"""nbval: what is not compared. Text, numbers and tables are; pictures are not."""

from typing import Any

from nbval.plugin import IPyNbFile

PLOT_MIMES = (
    "application/javascript",
    "application/vnd.bokehjs_load.v0+json",
    "application/vnd.bokehjs_exec.v0+json",
    "display_data",
)


def pytest_collectstart(collector: Any) -> None:
    """Leave out what draws pictures."""
    if isinstance(collector, IPyNbFile):
        collector.skip_compare += PLOT_MIMES
