"""Bokeh figures of model values: built once, then given new columns; no widgets and no files here.

Every chart has ``root`` (what to embed), ``update(value)`` and ``describe()`` (the picture in words).
"""

from .decision_trace import DecisionTrace
from .memory_map import MemoryMap
from .overhead import OverheadBars
from .slot_budget import SlotBudget

__all__ = ("DecisionTrace", "MemoryMap", "OverheadBars", "SlotBudget")
