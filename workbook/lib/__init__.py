"""The model: memory regions, memslots, rule sets, and QEMU's text formats. Pure: no I/O, no widgets."""

from .errors import Abort, BadInput, Refusal, WorkbookError
from .host import Host
from .machine.machine import Machine
from .scenario import Scenario

__all__ = ("Abort", "BadInput", "Host", "Machine", "Refusal", "Scenario", "WorkbookError")
