"""Many VMs at once: each input read, started and judged, one row per VM."""

from .checking import check, check_rows
from .inputs import Input, VmText, vm_texts
from .verdict import VERDICTS, CheckRow, Question, check_vm

__all__ = ("VERDICTS", "CheckRow", "Input", "Question", "VmText", "check", "check_rows", "check_vm", "vm_texts")
