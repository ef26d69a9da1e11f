"""The parts of a machine, as the modules around it see them: hot-plug changes them, a snapshot reads them."""

from typing import Protocol

from workbook.lib.boards.pc import PcLayout
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import MemoryBackend, Scenario

from .bus import DeviceMemoryBus
from .memslots import MemslotConsumers

__all__ = ("MachineParts",)


class MachineParts(Protocol):
    """The parts of a `Machine`.

    Attributes
    ----------
    board
        Where RAM and device memory lie.
    bus
        The memory devices.
    consumers
        Who takes memslots.
    backends
        Memory backends by id.
    warnings
        The lines that QEMU has printed so far.
    warned_of_discard
        QEMU has warned of discarding privately mapped files, which it does once.
    """

    scenario: Scenario
    rules: RuleSet
    board: PcLayout
    bus: DeviceMemoryBus
    consumers: MemslotConsumers
    backends: dict[str, MemoryBackend]
    warnings: list[str]
    warned_of_discard: bool
