"""Many VMs at once: each input read, started and judged, one row per VM; grids of VMs, and random days of a node."""

from .checking import check, check_rows
from .fleet import Fleet
from .inputs import Input, VmText, vm_texts
from .node import NodeView, node_view
from .sweep import sweep, sweep_rows
from .timelines import Day, timeline_rows, timelines
from .verdict import VERDICTS, CheckRow, Question, check_vm, with_dynamic_memslots

__all__ = (
    "VERDICTS",
    "CheckRow",
    "Day",
    "Fleet",
    "Input",
    "NodeView",
    "Question",
    "VmText",
    "check",
    "check_rows",
    "check_vm",
    "node_view",
    "sweep",
    "sweep_rows",
    "timeline_rows",
    "timelines",
    "vm_texts",
    "with_dynamic_memslots",
)
